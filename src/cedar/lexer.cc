#include "cedar/lexer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/bytes.h"
#include "cedar/value.h"

namespace sallyport::cedar {
namespace {

bool is_word_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return is_word_start(c) || is_digit(c);
}

/// The bytes of a white-space character at the start of `text`, or 0. Unicode's, as the language
/// says.
std::size_t space_length(std::string_view text) {
  const char c = text[0];
  if (c == ' ' || (c >= '\t' && c <= '\r')) return 1;
  for (const std::string_view space :
       {"\u0085", "\u00a0", "\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    if (text.starts_with(space)) return space.size();
  }
  // U+2000 to U+200A
  const bool general = text.size() >= 3 && text.starts_with("\xe2\x80") &&
                       static_cast<unsigned char>(text[2]) >= 0x80 &&
                       static_cast<unsigned char>(text[2]) <= 0x8a;
  return general ? 3 : 0;
}

void skip_space(std::string_view text, std::size_t& at) {
  while (at < text.size()) {
    if (const std::size_t space = space_length(text.substr(at))) {
      at += space;
    } else if (text.substr(at).starts_with("//")) {
      at = std::min(text.find('\n', at), text.size());
    } else {
      return;
    }
  }
}

/// The offset of the closing quote of a string whose opening one is at `start`, or npos.
std::size_t string_end(std::string_view text, std::size_t start) {
  for (std::size_t i = start + 1; i < text.size(); ++i) {
    if (text[i] == '"') return i;
    if (text[i] == '\\') {
      if (i + 1 < text.size() && text[i + 1] == '\n') return std::string_view::npos;
      ++i;
    }
  }
  return std::string_view::npos;
}

std::size_t symbol_length(std::string_view text) {
  for (const std::string_view two : {"::", "==", "!=", "<=", ">=", "&&", "||"}) {
    if (text.starts_with(two)) return 2;
  }
  return std::string_view("(){}[]<>,;:.!+-*/%@?=").contains(text[0]) ? 1 : 0;
}

void append_utf8(std::string& to, std::uint32_t code) {
  if (code < 0x80) {
    to += static_cast<char>(code);
  } else if (code < 0x800) {
    to += static_cast<char>(0xc0 | code >> 6);
    to += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    to += static_cast<char>(0xe0 | code >> 12);
    to += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    to += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    to += static_cast<char>(0xf0 | code >> 18);
    to += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    to += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    to += static_cast<char>(0x80 | (code & 0x3f));
  }
}

std::optional<std::uint32_t> hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint32_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint32_t>(c - 'A' + 10);
  return std::nullopt;
}

/// Takes "x7f" off `text`.
std::optional<std::uint32_t> take_byte_escape(std::string_view& text) {
  if (text.size() < 3) return std::nullopt;
  const auto high = hex_value(text[1]);
  const auto low = hex_value(text[2]);
  if (!high || !low || *high > 7) return std::nullopt;
  text.remove_prefix(3);
  return *high << 4 | *low;
}

/// Takes "u{1f600}" off `text`: one to six digits, underscores after the first.
std::optional<std::uint32_t> take_unicode_escape(std::string_view& text) {
  if (!text.starts_with("u{")) return std::nullopt;
  text.remove_prefix(2);
  std::uint32_t code = 0;
  int digits = 0;
  while (!text.empty() && text[0] != '}') {
    const auto digit = hex_value(text[0]);
    if (!digit && (text[0] != '_' || digits == 0)) return std::nullopt;
    if (digit && ++digits > 6) return std::nullopt;
    if (digit) code = code << 4 | *digit;
    text.remove_prefix(1);
  }
  if (text.empty() || digits == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    return std::nullopt;
  }
  text.remove_prefix(1);
  return code;
}

/// Takes one escape off `text`, which starts behind the backslash.
std::optional<std::uint32_t> take_escape(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  constexpr std::array<std::pair<char, char>, 7> simple{
      {{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'\\', '\\'}, {'0', '\0'}, {'\'', '\''}, {'"', '"'}}};
  for (const auto& [written, meant] : simple) {
    if (text[0] != written) continue;
    text.remove_prefix(1);
    return static_cast<std::uint32_t>(meant);
  }
  if (text[0] == 'x') return take_byte_escape(text);
  return take_unicode_escape(text);
}

std::unexpected<SyntaxError> bad_escape(const Token& token, std::string_view rest) {
  const auto inside = static_cast<std::uint32_t>(token.text.size() - rest.size());
  return std::unexpected(SyntaxError{
      token.offset + 1 + inside,
      "not a valid escape (valid: \\n \\r \\t \\\\ \\0 \\' \\\" \\x7f \\u{1f600}, and \\* in a "
      "pattern)"});
}

}  // namespace

bool is_reserved(std::string_view word) {
  for (const std::string_view reserved :
       {"true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"}) {
    if (word == reserved) return true;
  }
  return false;
}

std::expected<std::vector<Token>, SyntaxError> lex(std::string_view text) {
  std::vector<Token> tokens;
  std::size_t at = 0;
  const auto add = [&](Token::Kind kind, std::size_t start, std::size_t length) {
    tokens.push_back({kind, static_cast<std::uint32_t>(at), text.substr(start, length)});
  };
  for (;;) {
    skip_space(text, at);
    if (at >= text.size()) break;
    std::size_t end = at + 1;
    if (is_word_start(text[at])) {
      while (end < text.size() && is_word(text[end])) ++end;
      add(Token::Kind::identifier, at, end - at);
    } else if (is_digit(text[at])) {
      while (end < text.size() && is_digit(text[end])) ++end;
      add(Token::Kind::number, at, end - at);
    } else if (text[at] == '"') {
      const std::size_t close = string_end(text, at);
      if (close == std::string_view::npos) {
        return std::unexpected(
            SyntaxError{static_cast<std::uint32_t>(at), "this string has no end"});
      }
      end = close + 1;
      add(Token::Kind::string, at + 1, close - at - 1);
    } else if (const std::size_t length = symbol_length(text.substr(at))) {
      end = at + length;
      add(Token::Kind::symbol, at, length);
    } else {
      return std::unexpected(
          SyntaxError{static_cast<std::uint32_t>(at), "this character has no meaning here"});
    }
    at = end;
  }
  at = text.size();
  add(Token::Kind::end, text.size(), 0);
  return tokens;
}

std::expected<std::vector<PatternPart>, SyntaxError> unescape_pattern(const Token& token) {
  std::vector<PatternPart> parts;
  const auto literal = [&]() -> std::string& {
    if (parts.empty() || parts.back().wildcard) parts.push_back({false, {}});
    return parts.back().text;
  };
  std::string_view rest = token.text;
  while (!rest.empty()) {
    const std::string_view whole = rest;
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c == '*') {
      if (parts.empty() || !parts.back().wildcard) parts.push_back({true, {}});
    } else if (c == '\r') {
      return bad_escape(token, whole);
    } else if (c != '\\') {
      literal() += c;
    } else if (rest.starts_with('*')) {
      rest.remove_prefix(1);
      literal() += '*';
    } else {
      const auto code = take_escape(rest);
      if (!code) return bad_escape(token, whole);
      append_utf8(literal(), *code);
    }
  }
  return parts;
}

std::expected<std::string, SyntaxError> unescape(const Token& token) {
  std::string text;
  std::string_view rest = token.text;
  while (!rest.empty()) {
    const std::string_view whole = rest;
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c == '\r') return bad_escape(token, whole);
    if (c != '\\') {
      text += c;
      continue;
    }
    const auto code = take_escape(rest);
    if (!code) return bad_escape(token, whole);
    append_utf8(text, *code);
  }
  return text;
}

}  // namespace sallyport::cedar
