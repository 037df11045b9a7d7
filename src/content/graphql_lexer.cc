#include "content/graphql_lexer.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::content {
namespace {

using Kind = GraphqlToken::Kind;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool begins_name(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool in_name(char c) {
  return begins_name(c) || is_digit(c);
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

std::unexpected<Error> GraphqlLexer::wrong(std::string_view what) const {
  const auto line =
      1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
  return fail(Errc::malformed, fmt::format("GraphQL, line {}: {}", line, what));
}

/// White space, commas, comments; a byte order mark is refused although it could be skipped.
void GraphqlLexer::skip_ignored() {
  while (at_ < text_.size()) {
    if (text_[at_] == '#') {
      at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
    } else if (std::string_view(" \t\r\n,").contains(text_[at_])) {
      ++at_;
    } else {
      return;
    }
  }
}

GraphqlToken GraphqlLexer::take(Kind kind, std::size_t size) {
  at_ += size;
  return {kind, text_.substr(at_ - size, size)};
}

Result<GraphqlToken> GraphqlLexer::next() {
  skip_ignored();
  if (at_ == text_.size()) return GraphqlToken{};
  if (tokens_left_-- == 0) return fail(Errc::too_large, "GraphQL: too many tokens");
  const char c = text_[at_];
  if (begins_name(c)) {
    std::size_t size = 1;
    while (at_ + size < text_.size() && in_name(text_[at_ + size])) ++size;
    return take(Kind::name, size);
  }
  if (text_.substr(at_).starts_with("...")) return take(Kind::punctuator, 3);
  if (std::string_view("!$&()[]{}:=@|").contains(c)) return take(Kind::punctuator, 1);
  if (c == '-' || is_digit(c)) return number();
  if (text_.substr(at_).starts_with("\"\"\"")) return block_string();
  if (c == '"') return string();
  return wrong("a character that does not belong there");
}

Result<GraphqlToken> GraphqlLexer::number() {
  std::size_t end = at_;
  const auto digits = [&] {
    const std::size_t begin = end;
    while (end < text_.size() && is_digit(text_[end])) ++end;
    return end > begin;
  };
  const auto at = [&](std::string_view any) {
    return end < text_.size() && any.contains(text_[end]);
  };
  if (at("-")) ++end;
  const bool zero = at("0");
  const std::size_t begin = end;
  if (!digits() || (zero && end - begin > 1)) return wrong("not a number");
  if (at(".")) {
    ++end;
    if (!digits()) return wrong("not a number");
  }
  if (at("eE")) {
    ++end;
    if (at("+-")) ++end;
    if (!digits()) return wrong("not a number");
  }
  if (end < text_.size() && (in_name(text_[end]) || text_[end] == '.'))
    return wrong("not a number");
  return take(Kind::number, end - at_);
}

Result<GraphqlToken> GraphqlLexer::string() {
  std::size_t end = at_ + 1;
  while (end < text_.size() && text_[end] != '"') {
    const auto c = static_cast<unsigned char>(text_[end]);
    if (c < 0x20 && c != '\t') return wrong("a control character in a string");
    if (c != '\\') {
      ++end;
      continue;
    }
    const char escape = end + 1 < text_.size() ? text_[end + 1] : '\0';
    if (escape == 'u') {
      const std::string_view digits = text_.substr(end + 2, 4);
      if (digits.size() != 4 || !std::ranges::all_of(digits, is_hex)) return wrong("not an escape");
      end += 6;
    } else if (std::string_view("\"\\/bfnrt").contains(escape)) {
      end += 2;
    } else {
      return wrong("not an escape");
    }
  }
  if (end >= text_.size()) return wrong("a string without an end");
  GraphqlToken token{Kind::string, text_.substr(at_ + 1, end - at_ - 1)};
  at_ = end + 1;
  return token;
}

Result<GraphqlToken> GraphqlLexer::block_string() {
  std::size_t end = at_ + 3;
  while (true) {
    end = text_.find("\"\"\"", end);
    if (end == std::string_view::npos) return wrong("a string without an end");
    if (text_[end - 1] != '\\') break;
    end += 3;
  }
  GraphqlToken token{Kind::string, text_.substr(at_ + 3, end - at_ - 3)};
  at_ = end + 3;
  return token;
}

}  // namespace sallyport::content
