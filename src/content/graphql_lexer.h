#pragma once
// The tokens of GraphQL (October 2021, section 2.1).

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace sallyport::content {

struct GraphqlToken {
  enum class Kind : std::uint8_t { end, punctuator, name, number, string };
  Kind kind = Kind::end;
  std::string_view text;  // of a string: without its quotes, with its escapes
};

class GraphqlLexer {
 public:
  GraphqlLexer(std::string_view text, std::uint32_t tokens_max)
      : text_(text), tokens_left_(tokens_max) {}
  Result<GraphqlToken> next();

 private:
  void skip_ignored();
  GraphqlToken take(GraphqlToken::Kind kind, std::size_t size);
  Result<GraphqlToken> number();
  Result<GraphqlToken> string();
  Result<GraphqlToken> block_string();
  std::unexpected<Error> wrong(std::string_view what) const;

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t tokens_left_;
};

}  // namespace sallyport::content
