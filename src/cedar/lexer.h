#pragma once
// Tokens of Cedar policies and schemas. Positions are byte offsets; source.h makes lines of them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::cedar {

struct Token {
  enum class Kind : std::uint8_t { identifier, number, string, symbol, end };

  Kind kind = Kind::end;
  std::uint32_t offset = 0;
  std::string_view text;  // as written; a string without its quotes, escapes not yet resolved

  /// Behind its last byte.
  std::uint32_t end() const {
    const std::size_t quotes = kind == Kind::string ? 2 : 0;
    return offset + static_cast<std::uint32_t>(text.size() + quotes);
  }
  bool is(std::string_view symbol) const { return kind == Kind::symbol && text == symbol; }
  bool is_word(std::string_view word) const { return kind == Kind::identifier && text == word; }
};

/// Why a text cannot be read, and where.
struct SyntaxError {
  std::uint32_t offset = 0;
  std::string message;
};

/// Splits all of `text`, which must outlive the tokens. The last token is of kind `end`.
std::expected<std::vector<Token>, SyntaxError> lex(std::string_view text);

/// One piece of a `like` pattern or string: text, or the wildcard.
struct PatternPart {
  bool wildcard = false;
  std::string text;
};

/// Resolves the escapes of a string literal that starts at `offset`.
std::expected<std::string, SyntaxError> unescape(const Token& token);
/// The same for a pattern, where `*` is the wildcard and `\*` a star.
std::expected<std::vector<PatternPart>, SyntaxError> unescape_pattern(const Token& token);

/// Words that name nothing: true, false, if, then, else, in, is, like, has, __cedar.
bool is_reserved(std::string_view word);

}  // namespace sallyport::cedar
