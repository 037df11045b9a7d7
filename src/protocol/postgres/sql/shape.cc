#include "protocol/postgres/sql/shape.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/crypto.h"

namespace sallyport::postgres::sql {

namespace {

constexpr std::size_t kShapeBytesMax = std::size_t{64} << 10;
/// So many digits are an int4 in any case.
constexpr std::size_t kDigitsMax = 9;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// A quoted piece that begins at `begin`: where it ends, or npos. `doubled`: a quote inside is
/// written twice; without it, one inside is no shape.
std::size_t end_of_quoted(std::string_view sql, std::size_t begin, char quote, bool doubled) {
  for (std::size_t end = begin + 1; end < sql.size(); ++end) {
    if (sql[end] != quote) continue;
    const bool twice = end + 1 < sql.size() && sql[end + 1] == quote;
    if (!twice) return end + 1;
    if (!doubled) break;
    ++end;
  }
  return std::string_view::npos;
}

/// float(10) and float(30) are two types, and float(60) is none.
bool is_float(std::string_view word) {
  constexpr std::string_view name = "float";
  return word.size() == name.size() && std::ranges::equal(word, name, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
         });
}

/// Writes the shape of a text, token after token.
class Shape {
 public:
  explicit Shape(std::string_view sql) : sql_(sql) { out_.reserve(sql.size()); }

  std::optional<std::string> make() {
    while (at_ < sql_.size()) {
      const char c = sql_[at_];
      if (is_space(c)) {
        space_ = true;
        ++at_;
        continue;
      }
      // Two strings next to each other may be one.
      if (c == '\'' && after_string_) return std::nullopt;
      after_string_ = c == '\'';
      if (space_ && !out_.empty()) out_.push_back(' ');
      space_ = false;
      if (!token(c)) return std::nullopt;
    }
    return std::move(out_);
  }

 private:
  bool token(char c) {
    if (c == '\'') return string();
    if (c == '"') return quoted_name();
    if (starts_name(c)) return word();
    if (is_digit(c)) return number();
    return symbol(c);
  }

  char next(std::size_t after) const { return after < sql_.size() ? sql_[after] : ' '; }

  bool string() {
    at_ = end_of_quoted(sql_, at_, '\'', true);
    out_ += "'?'";
    return at_ != std::string_view::npos;
  }

  bool quoted_name() {
    const std::size_t end = end_of_quoted(sql_, at_, '"', false);
    if (end == std::string_view::npos) return false;
    out_.append(sql_.substr(at_, end - at_));
    at_ = end;
    return true;
  }

  bool word() {
    const std::size_t begin = at_;
    while (starts_name(next(at_)) || is_digit(next(at_))) ++at_;
    const char after = next(at_);
    if (after == '\'' || after == '"' || after == '$' || after == '&') return false;
    const std::string_view word = sql_.substr(begin, at_ - begin);
    if (is_float(word)) {
      std::size_t paren = at_;
      while (paren < sql_.size() && is_space(sql_[paren])) ++paren;
      if (next(paren) == '(') return false;
    }
    out_.append(word);
    return true;
  }

  /// Integers that fit are one kind of constant; anything else is another.
  bool number() {
    const std::size_t begin = at_;
    while (is_digit(next(at_))) ++at_;
    const char after = next(at_);
    if (starts_name(after) || after == '.' || after == '$') return false;
    if (at_ - begin > kDigitsMax) return false;
    const bool positional = !out_.empty() && (out_.back() == '.' || out_.back() == '$');
    if (positional) {
      out_.append(sql_.substr(begin, at_ - begin));
    } else {
      out_.push_back('0');
    }
    return true;
  }

  bool symbol(char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '\\') return false;
    if (c == '-' && next(at_ + 1) == '-') return false;
    if (c == '/' && next(at_ + 1) == '*') return false;
    if (c == '$' && !is_digit(next(at_ + 1))) return false;
    out_.push_back(c);
    ++at_;
    return true;
  }

  const std::string_view sql_;
  std::string out_;
  std::size_t at_ = 0;
  bool space_ = false;
  bool after_string_ = false;
};

/// What keeping an analysis costs, about.
std::size_t bytes_of(const Statement& statement) {
  std::size_t bytes = sizeof(Statement) + statement.relations.size() * sizeof(RelationUse) +
                      statement.columns.size() * sizeof(ColumnUse) +
                      statement.routines.size() * sizeof(RoutineUse);
  for (const auto& nested : statement.nested) bytes += bytes_of(nested);
  return bytes;
}

}  // namespace

/// Plain texts only. Comments, dollar quotes, prefixed strings (E'', U&'', B'', N'', X''), bytes
/// beyond ASCII outside quotes, backslashes and adjacent strings have no shape: PostgreSQL's rules
/// for them are subtle, and a text without a shape is merely parsed.
std::optional<std::string> shape_of(std::string_view sql) {
  if (sql.size() > kShapeBytesMax || sql.find('\0') != std::string_view::npos || !is_utf8(sql)) {
    return std::nullopt;
  }
  return Shape(sql).make();
}

std::string fingerprint_of(std::string_view sql, const std::optional<std::string>& shape) {
  return to_hex(sha256(as_bytes(shape ? std::string_view(*shape) : sql)));
}

bool may_be_kept(const Analysis& analysis) {
  static constexpr std::array<std::string_view, 9> kinds = {
      "select", "insert", "update", "delete", "merge", "begin", "commit", "rollback", "savepoint"};
  if (!analysis.understood || analysis.depends_on_literals) return false;
  if (analysis.statements.size() != 1) return false;
  const Statement& only = analysis.statements.front();
  return only.understood && std::ranges::find(kinds, only.kind) != kinds.end();
}

ShapeCache::ShapeCache(std::size_t entries_max, std::size_t bytes_max)
    : entries_max_(entries_max), bytes_max_(bytes_max) {}

Result<std::shared_ptr<const Analysis>> ShapeCache::analyse(Parser& parser, std::string_view sql) {
  auto shape = shape_of(sql);
  if (shape) {
    if (const auto found = by_shape_.find(*shape); found != by_shape_.end()) {
      ++hits_;
      entries_.splice(entries_.begin(), entries_, found->second);
      return entries_.front().analysis;
    }
  }
  ++misses_;
  auto analysed = sql::analyse(parser, sql);
  if (!analysed) return fail(analysed);
  analysed->fingerprint = fingerprint_of(sql, shape);
  auto analysis = std::make_shared<const Analysis>(std::move(*analysed));
  if (shape && may_be_kept(*analysis)) keep(std::move(*shape), analysis);
  return analysis;
}

void ShapeCache::keep(std::string shape, std::shared_ptr<const Analysis> analysis) {
  const std::size_t bytes = shape.size() + bytes_of(analysis->statements.front());
  if (bytes > bytes_max_ / 8) return;
  bytes_ += bytes;
  entries_.push_front({.shape = std::move(shape), .analysis = std::move(analysis), .bytes = bytes});
  by_shape_.emplace(entries_.front().shape, entries_.begin());
  while (entries_.size() > entries_max_ || bytes_ > bytes_max_) {
    bytes_ -= entries_.back().bytes;
    by_shape_.erase(entries_.back().shape);
    entries_.pop_back();
  }
}

}  // namespace sallyport::postgres::sql
