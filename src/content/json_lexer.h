#pragma once
// JsonLexer: the tokens of JSON (RFC 8259) that comes in pieces, strictly: nothing that two readers
// could take for different documents passes. A document that is torn anywhere gives the same tokens
// as in one piece, only some of them in parts. It looks at no names and keeps no bytes.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace sallyport::content {

struct JsonLimits {
  std::uint32_t depth_max = 128;  // at most json_depth_max
  std::uint32_t name_bytes_max = 1024;
  std::uint32_t number_bytes_max = 256;
  std::uint32_t members_max = 100'000;  // of one object
  std::uint32_t held_bytes_max = 64 * 1024;
};
inline constexpr std::uint32_t json_depth_max = 512;

struct Token {
  enum class Kind : std::uint8_t {
    none,    // all bytes were taken
    failed,  // error() says why
    begin_object,
    end_object,
    begin_array,
    end_array,
    name,
    string,
    number,
    literal,  // true, false, null
  };
  Kind kind = Kind::none;
  bool first = true;     // this part begins the token, ...
  bool last = true;      // ... and this one ends it
  bool escaped = false;  // a string or name that has a backslash, in this part or one before
  std::string_view raw;  // this part, with its quotes; of the piece that was given
};

class JsonLexer {
 public:
  /// `lines`: a document on every line (NDJSON), and none over two.
  explicit JsonLexer(const JsonLimits& limits = {}, bool lines = false)
      : limits_(limits), lines_(lines) {
    limits_.depth_max = std::min(limits_.depth_max, json_depth_max);
  }

  /// The next token of [at, end), and moves `at` behind it.
  Token next(const char*& at, const char* end);

  /// At the end of the body. A number has no end of its own: then the last part of one, which is
  /// empty. Fails where something is missing.
  Result<std::optional<Token>> finish();

  const Error& error() const { return error_; }
  std::uint32_t depth() const { return depth_; }

 private:
  enum class Expects : std::uint8_t {
    value,
    value_or_end,
    name,
    name_or_end,
    colon,
    comma_or_end,
    nothing,
  };
  enum class Within : std::uint8_t { nothing, string, number, literal };
  enum class Number : std::uint8_t {
    minus,
    zero,
    integer,
    point,
    fraction,
    e,
    sign,
    exponent,
  };

  Token fail_with(Errc code, std::string what);
  Token begin_value(const char*& at, const char* end);
  Token open(char bracket, const char*& at);
  Token close(char bracket, const char*& at);
  Token begin_string(Token::Kind kind, const char*& at, const char* end);
  Token go_on(const char*& at, const char* end, bool first);
  Token string_part(const char*& at, const char* end, bool first);
  Token number_part(const char*& at, const char* end, bool first);
  Token literal_part(const char*& at, const char* end, bool first);
  bool escape_byte(char c);
  bool utf8_byte(unsigned char c);
  bool number_byte(char c);
  bool number_complete() const;
  void value_ended();

  JsonLimits limits_;
  bool lines_;
  Expects expects_ = Expects::value;
  Within within_ = Within::nothing;
  Token::Kind kind_ = Token::Kind::none;
  bool escaped_ = false;
  bool began_ = false;            // a document, or with `lines` the first of them
  std::uint8_t escape_ = 0;       // what is left of an escape: 5 is all but the backslash
  std::uint8_t utf8_left_ = 0;    // bytes of a character
  std::uint8_t utf8_min_ = 0x80;  // what the next of them may be
  std::uint8_t utf8_max_ = 0xbf;
  Number number_ = Number::minus;
  std::uint32_t token_bytes_ = 0;
  std::string_view literal_;
  std::uint32_t depth_ = 0;
  std::array<bool, json_depth_max> object_{};
  Error error_{Errc::malformed, ""};
};

}  // namespace sallyport::content
