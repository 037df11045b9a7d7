#include "content/json_lexer.h"

#include <fmt/format.h>

#include <algorithm>

#include "content/json_text.h"

namespace sallyport::content {
namespace {

using Kind = Token::Kind;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace

Token JsonLexer::fail_with(Errc code, std::string what) {
  error_ = Error(code, std::move(what));
  return {.kind = Kind::failed};
}

Token JsonLexer::next(const char*& at, const char* end) {
  if (within_ != Within::nothing) return go_on(at, end, false);
  while (at != end) {
    const char c = *at;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      if (c == '\n' && lines_) {
        if (depth_ > 0) return fail_with(Errc::malformed, "a line ends within its document");
        expects_ = Expects::value;
      }
      ++at;
      continue;
    }
    switch (expects_) {
      case Expects::comma_or_end:
        if (c != ',') return close(c, at);
        expects_ = object_[depth_ - 1] ? Expects::name : Expects::value;
        ++at;
        continue;
      case Expects::colon:
        if (c != ':') return fail_with(Errc::malformed, "expected : behind a name");
        expects_ = Expects::value;
        ++at;
        continue;
      case Expects::name_or_end:
        if (c == '}') return close(c, at);
        [[fallthrough]];
      case Expects::name:
        if (c != '"') return fail_with(Errc::malformed, "expected the name of a member");
        return begin_string(Kind::name, at, end);
      case Expects::value_or_end:
        if (c == ']') return close(c, at);
        [[fallthrough]];
      case Expects::value:
        return begin_value(at, end);
      case Expects::nothing:
        return fail_with(Errc::malformed, "something follows the document");
    }
  }
  return {};
}

Token JsonLexer::begin_value(const char*& at, const char* end) {
  const char c = *at;
  began_ = true;
  if (c == '{' || c == '[') return open(c, at);
  if (c == '"') return begin_string(Kind::string, at, end);
  token_bytes_ = 0;
  if (c == '-' || is_digit(c)) {
    kind_ = Kind::number;
    within_ = Within::number;
    number_ = c == '-' ? Number::minus : c == '0' ? Number::zero : Number::integer;
    return number_part(at, end, true);
  }
  literal_ = c == 't' ? "true" : c == 'f' ? "false" : c == 'n' ? "null" : "";
  if (literal_.empty()) {
    if (static_cast<unsigned char>(c) >= 0x80 || c == '\0') {
      return fail_with(Errc::malformed, "not UTF-8 JSON: a byte order mark or another encoding");
    }
    return fail_with(Errc::malformed, "expected a value");
  }
  kind_ = Kind::literal;
  within_ = Within::literal;
  return literal_part(at, end, true);
}

Token JsonLexer::open(char bracket, const char*& at) {
  if (depth_ >= limits_.depth_max) {
    return fail_with(Errc::too_large, fmt::format("nested deeper than {}", limits_.depth_max));
  }
  const bool object = bracket == '{';
  object_[depth_++] = object;
  expects_ = object ? Expects::name_or_end : Expects::value_or_end;
  ++at;
  return {.kind = object ? Kind::begin_object : Kind::begin_array, .raw = between(at - 1, at)};
}

Token JsonLexer::close(char bracket, const char*& at) {
  const bool object = object_[depth_ - 1];
  if (bracket != (object ? '}' : ']')) {
    return fail_with(Errc::malformed, object ? "expected , or }" : "expected , or ]");
  }
  --depth_;
  value_ended();
  ++at;
  return {.kind = object ? Kind::end_object : Kind::end_array, .raw = between(at - 1, at)};
}

void JsonLexer::value_ended() {
  within_ = Within::nothing;
  expects_ = depth_ == 0 ? Expects::nothing : Expects::comma_or_end;
}

Token JsonLexer::begin_string(Token::Kind kind, const char*& at, const char* end) {
  kind_ = kind;
  within_ = Within::string;
  escaped_ = false;
  token_bytes_ = 0;
  return string_part(at, end, true);
}

Token JsonLexer::go_on(const char*& at, const char* end, bool first) {
  if (at == end) return {};
  switch (within_) {
    case Within::number:
      return number_part(at, end, first);
    case Within::literal:
      return literal_part(at, end, first);
    default:
      return string_part(at, end, first);
  }
}

Token JsonLexer::string_part(const char*& at, const char* end, bool first) {
  const char* const begin = at;
  if (first) ++at;
  bool last = false;
  while (at != end && !last) {
    const char c = *at;
    const auto u = static_cast<unsigned char>(c);
    if (escape_ != 0) {
      if (!escape_byte(c)) return fail_with(Errc::malformed, "not an escape of JSON");
    } else if (utf8_left_ != 0 || u >= 0x80) {
      if (!utf8_byte(u)) return fail_with(Errc::malformed, "a string is not UTF-8");
    } else if (c == '"') {
      last = true;
    } else if (c == '\\') {
      escape_ = 5;
      escaped_ = true;
    } else if (u < 0x20) {
      return fail_with(Errc::malformed, "a control character in a string");
    } else {
      at = find_special(at, end);
      continue;
    }
    ++at;
  }
  if (kind_ == Kind::name) {
    token_bytes_ += static_cast<std::uint32_t>(std::min<std::size_t>(
        static_cast<std::size_t>(at - begin), limits_.name_bytes_max + std::size_t{3}));
    if (token_bytes_ > limits_.name_bytes_max + 2) {
      return fail_with(Errc::too_large,
                       fmt::format("a name above {} bytes", limits_.name_bytes_max));
    }
  }
  if (last && kind_ == Kind::name) {
    within_ = Within::nothing;
    expects_ = Expects::colon;
  } else if (last) {
    value_ended();
  }
  return {
      .kind = kind_, .first = first, .last = last, .escaped = escaped_, .raw = between(begin, at)};
}

bool JsonLexer::escape_byte(char c) {
  if (escape_ == 5) {
    if (c != 'u') {
      escape_ = 0;
      return std::string_view("\"\\/bfnrt").contains(c);
    }
    escape_ = 4;
    return true;
  }
  --escape_;
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool JsonLexer::utf8_byte(unsigned char c) {
  if (utf8_left_ != 0) {
    if (c < utf8_min_ || c > utf8_max_) return false;
    --utf8_left_;
    utf8_min_ = 0x80;
    utf8_max_ = 0xbf;
    return true;
  }
  if (c < 0xc2 || c > 0xf4) return false;
  utf8_left_ = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
  utf8_min_ = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  utf8_max_ = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  return true;
}

Token JsonLexer::number_part(const char*& at, const char* end, bool first) {
  const char* const begin = at;
  if (first) ++at;
  while (at != end && number_byte(*at)) ++at;
  token_bytes_ += static_cast<std::uint32_t>(
      std::min<std::size_t>(static_cast<std::size_t>(at - begin), limits_.number_bytes_max + 1ul));
  if (token_bytes_ > limits_.number_bytes_max) {
    return fail_with(Errc::too_large,
                     fmt::format("a number above {} bytes", limits_.number_bytes_max));
  }
  const bool last = at != end;
  if (last) {
    if (!number_complete()) return fail_with(Errc::malformed, "not a number of JSON");
    value_ended();
  }
  return {.kind = Kind::number, .first = first, .last = last, .raw = between(begin, at)};
}

/// Whether it belongs to the number; what does not fit its grammar ends it, and is refused there.
bool JsonLexer::number_byte(char c) {
  const bool digit = is_digit(c);
  const bool e = c == 'e' || c == 'E';
  const auto to = [&](Number next) {
    number_ = next;
    return true;
  };
  switch (number_) {
    case Number::minus:
      return digit && to(c == '0' ? Number::zero : Number::integer);
    case Number::integer:
      if (digit) return true;
      [[fallthrough]];
    case Number::zero:
      return (c == '.' && to(Number::point)) || (e && to(Number::e));
    case Number::point:
      return digit && to(Number::fraction);
    case Number::fraction:
      return digit || (e && to(Number::e));
    case Number::e:
      return ((c == '+' || c == '-') && to(Number::sign)) || (digit && to(Number::exponent));
    case Number::sign:
      return digit && to(Number::exponent);
    case Number::exponent:
      return digit;
  }
  return false;
}

bool JsonLexer::number_complete() const {
  return number_ == Number::zero || number_ == Number::integer || number_ == Number::fraction ||
         number_ == Number::exponent;
}

Token JsonLexer::literal_part(const char*& at, const char* end, bool first) {
  const char* const begin = at;
  while (at != end && token_bytes_ < literal_.size()) {
    if (*at != literal_[token_bytes_]) return fail_with(Errc::malformed, "expected a value");
    ++token_bytes_;
    ++at;
  }
  const bool last = token_bytes_ == literal_.size();
  if (last) value_ended();
  return {.kind = Kind::literal, .first = first, .last = last, .raw = between(begin, at)};
}

Result<std::optional<Token>> JsonLexer::finish() {
  std::optional<Token> number;
  if (within_ == Within::number && depth_ == 0 && number_complete()) {
    value_ended();
    number = Token{.kind = Kind::number, .first = false};
  }
  const bool complete = within_ == Within::nothing && depth_ == 0 &&
                        (expects_ == Expects::nothing || lines_ || !began_);
  if (!complete) return fail(Errc::malformed, "the document is cut off");
  return number;
}

}  // namespace sallyport::content
