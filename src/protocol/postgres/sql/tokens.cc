#include "protocol/postgres/sql/tokens.h"

#include <array>

namespace sallyport::postgres::sql {
namespace {

enum class Kind : unsigned char { word, quoted, symbol, other, end };

struct Token {
  Kind kind = Kind::end;
  std::size_t begin = 0;
  std::size_t end = 0;
};

bool starts_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// PostgreSQL's tokens, as far as names and the ends of everything else go.
class Scanner {
 public:
  Scanner(std::string_view sql, std::size_t at) : sql_(sql), at_(at) {}

  Token next() {
    skip_space();
    Token token{.begin = at_};
    if (at_ >= sql_.size()) {
      token.end = at_;
      return token;
    }
    token.kind = scan();
    token.end = at_;
    return token;
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
  }

  void skip_space() {
    for (;;) {
      const char c = peek();
      if (at_ >= sql_.size()) return;
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
        ++at_;
      } else if (c == '-' && peek(1) == '-') {
        while (at_ < sql_.size() && peek() != '\n' && peek() != '\r') ++at_;
      } else if (c == '/' && peek(1) == '*') {
        skip_comment();
      } else {
        return;
      }
    }
  }

  void skip_comment() {
    std::size_t depth = 0;
    while (at_ < sql_.size()) {
      if (peek() == '/' && peek(1) == '*') {
        ++depth;
        at_ += 2;
      } else if (peek() == '*' && peek(1) == '/') {
        at_ += 2;
        if (--depth == 0) return;
      } else {
        ++at_;
      }
    }
  }

  Kind scan() {
    const char c = peek();
    if (c == '"') return quoted('"', false), Kind::quoted;
    if (c == '\'') return quoted('\'', false), Kind::other;
    if ((c == 'e' || c == 'E') && peek(1) == '\'') return ++at_, quoted('\'', true), Kind::other;
    if ((c == 'u' || c == 'U') && peek(1) == '&' && peek(2) == '"') {
      at_ += 2;
      return quoted('"', false), Kind::quoted;
    }
    if (starts_word(c)) {
      while (starts_word(peek()) || is_digit(peek()) || peek() == '$') ++at_;
      return Kind::word;
    }
    if (c == '$' && !is_digit(peek(1)) && dollar_quoted()) return Kind::other;
    ++at_;
    if (is_digit(c)) {
      while (is_digit(peek()) || starts_word(peek())) ++at_;
      return Kind::other;
    }
    return Kind::symbol;
  }

  void quoted(char quote, bool backslash) {
    for (++at_; at_ < sql_.size(); ++at_) {
      if (backslash && peek() == '\\') {
        ++at_;
      } else if (peek() == quote) {
        if (peek(1) != quote) break;
        ++at_;
      }
    }
    if (at_ < sql_.size()) ++at_;
  }

  bool dollar_quoted() {
    std::size_t end = at_ + 1;
    while (end < sql_.size() && (starts_word(sql_[end]) || is_digit(sql_[end]))) ++end;
    if (end >= sql_.size() || sql_[end] != '$') return false;
    const std::string_view tag = sql_.substr(at_, end + 1 - at_);
    const std::size_t close = sql_.find(tag, end + 1);
    at_ = close == std::string_view::npos ? sql_.size() : close + tag.size();
    return true;
  }

  std::string_view sql_;
  std::size_t at_;
};

bool is_word(std::string_view sql, const Token& token, std::string_view word) {
  if (token.kind != Kind::word || token.end - token.begin != word.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = sql[token.begin + i];
    if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != word[i]) return false;
  }
  return true;
}
bool is_symbol(std::string_view sql, const Token& token, char symbol) {
  return token.kind == Kind::symbol && sql[token.begin] == symbol;
}
bool is_name(const Token& token) {
  return token.kind == Kind::word || token.kind == Kind::quoted;
}

}  // namespace

std::optional<NameSpan> name_span(std::string_view sql, std::size_t location) {
  std::array<Token, 3> before;  // the nearest last
  Scanner scanner(sql, 0);
  Token token = scanner.next();
  while (token.kind != Kind::end && token.begin < location) {
    before = {before[1], before[2], token};
    token = scanner.next();
  }
  if (token.begin != location || !is_name(token)) return std::nullopt;

  NameSpan span{.begin = location, .end = token.end};
  token = scanner.next();
  while (is_symbol(sql, token, '.')) {
    token = scanner.next();
    if (!is_name(token)) return std::nullopt;
    span.end = token.end;
    token = scanner.next();
  }
  const bool parenthesised = is_symbol(sql, before[2], '(') && is_word(sql, before[1], "only");
  Token front = before[2];
  if (parenthesised) {
    if (!is_symbol(sql, token, ')')) return std::nullopt;
    span.begin = before[1].begin;
    span.end = token.end;
    front = before[0];
    token = scanner.next();
  } else if (is_word(sql, before[2], "only")) {
    span.begin = before[2].begin;
    front = before[1];
  } else if (is_symbol(sql, token, '*')) {
    span.end = token.end;
    token = scanner.next();
  }
  if (is_word(sql, front, "table")) span.table = front.begin;
  span.columns_end = span.end;
  if (is_symbol(sql, token, '(')) {
    while (token.kind != Kind::end && !is_symbol(sql, token, ')')) token = scanner.next();
    span.columns_end = token.end;
  }
  return span;
}

std::optional<std::size_t> part_begin(std::string_view sql, std::size_t location,
                                      std::size_t part) {
  Scanner scanner(sql, location);
  Token token = scanner.next();
  for (std::size_t i = 0; i < part; ++i) {
    if (!is_name(token) || !is_symbol(sql, scanner.next(), '.')) return std::nullopt;
    token = scanner.next();
  }
  return token.begin;
}

std::optional<std::vector<std::string>> words_of(std::string_view sql) {
  std::vector<std::string> words;
  Scanner scanner(sql, 0);
  for (Token token = scanner.next(); token.kind != Kind::end; token = scanner.next()) {
    const std::string_view text = sql.substr(token.begin, token.end - token.begin);
    std::string word;
    switch (token.kind) {
      case Kind::word:
        for (const char c : text)
          word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        break;
      case Kind::quoted:
        if (!text.starts_with('"')) return std::nullopt;
        for (std::size_t i = 1; i + 1 < text.size(); ++i) {
          if (text[i] == '"') ++i;
          word += text[i];
        }
        break;
      case Kind::symbol:
        word = text;
        break;
      case Kind::other:
      case Kind::end:
        word = "'";
        break;
    }
    words.push_back(std::move(word));
  }
  return words;
}

}  // namespace sallyport::postgres::sql
