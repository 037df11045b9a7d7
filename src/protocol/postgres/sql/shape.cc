#include "protocol/postgres/sql/shape.h"

namespace sallyport::postgres::sql {

namespace {

constexpr std::size_t kShapeBytesMax = std::size_t{64} << 10;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool starts_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

/// Plain texts only. Comments, dollar quotes, prefixed strings (E'', U&'', B'', N'', X''), bytes
/// beyond ASCII outside quotes, backslashes and adjacent strings have no shape: PostgreSQL's rules
/// for them are subtle, and a text without a shape is merely parsed.
std::optional<std::string> shape_of(std::string_view sql) {
  if (sql.size() > kShapeBytesMax) return std::nullopt;
  std::string out;
  out.reserve(sql.size());
  bool space = false;
  bool after_string = false;
  const auto gap = [&] {
    if (space && !out.empty()) out.push_back(' ');
    space = false;
  };
  for (std::size_t i = 0; i < sql.size();) {
    const char c = sql[i];
    if (is_space(c)) {
      space = true;
      ++i;
      continue;
    }
    if (c == '\'') {
      if (after_string) return std::nullopt;
      std::size_t end = i + 1;
      for (;; ++end) {
        if (end >= sql.size()) return std::nullopt;
        if (sql[end] != '\'') continue;
        if (end + 1 < sql.size() && sql[end + 1] == '\'')
          ++end;
        else
          break;
      }
      gap();
      out += "'?'";
      after_string = true;
      i = end + 1;
      continue;
    }
    after_string = false;
    gap();
    if (c == '"') {
      const std::size_t end = sql.find('"', i + 1);
      if (end == std::string_view::npos) return std::nullopt;
      if (end + 1 < sql.size() && sql[end + 1] == '"') return std::nullopt;
      out.append(sql.substr(i, end + 1 - i));
      i = end + 1;
    } else if (starts_name(c)) {
      const std::size_t begin = i;
      while (i < sql.size() && (starts_name(sql[i]) || is_digit(sql[i]))) ++i;
      if (i < sql.size() && (sql[i] == '\'' || sql[i] == '"' || sql[i] == '$' || sql[i] == '&')) {
        return std::nullopt;
      }
      out.append(sql.substr(begin, i - begin));
    } else if (is_digit(c)) {
      const std::size_t begin = i;
      while (i < sql.size() && is_digit(sql[i])) ++i;
      // Integers that fit are one kind of constant; anything else is another and is kept.
      if (i < sql.size() && (starts_name(sql[i]) || sql[i] == '.' || sql[i] == '$')) {
        return std::nullopt;
      }
      if (i - begin > 9) return std::nullopt;
      const bool positional = !out.empty() && (out.back() == '.' || out.back() == '$');
      if (positional)
        out.append(sql.substr(begin, i - begin));
      else
        out.push_back('0');
    } else if (c == '-' || c == '/' || c == '\\' || static_cast<unsigned char>(c) >= 0x80 ||
               static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      if (c != '-' && c != '/') return std::nullopt;
      const char next = i + 1 < sql.size() ? sql[i + 1] : ' ';
      if ((c == '-' && next == '-') || (c == '/' && next == '*')) return std::nullopt;
      out.push_back(c);
      ++i;
    } else if (c == '$' && (i + 1 >= sql.size() || !is_digit(sql[i + 1]))) {
      return std::nullopt;
    } else {
      out.push_back(c);
      ++i;
    }
  }
  return out;
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
  auto analysis = std::make_shared<const Analysis>(std::move(*analysed));
  const bool keepable = analysis->understood && !analysis->depends_on_literals &&
                        analysis->statements.size() == 1 && analysis->statements[0].understood;
  if (shape && keepable) keep(std::move(*shape), analysis);
  return analysis;
}

void ShapeCache::keep(std::string shape, std::shared_ptr<const Analysis> analysis) {
  if (shape.size() > bytes_max_ / 8) return;
  bytes_ += shape.size();
  entries_.push_front({.shape = std::move(shape), .analysis = std::move(analysis)});
  by_shape_.emplace(entries_.front().shape, entries_.begin());
  while (entries_.size() > entries_max_ || bytes_ > bytes_max_) {
    bytes_ -= entries_.back().shape.size();
    by_shape_.erase(entries_.back().shape);
    entries_.pop_back();
  }
}

}  // namespace sallyport::postgres::sql
