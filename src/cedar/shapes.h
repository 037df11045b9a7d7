#pragma once
// Which expressions of a program are the same, wherever they are written: `principal.a` here and
// `principal.a` there. Inside of this room only.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cedar/program.h"

namespace sallyport::cedar {

class Shapes {
 public:
  explicit Shapes(const Program& program) : program_(program) {}

  /// The same number for the same expression.
  std::uint32_t of(NodeId node);
  /// Of a text literal.
  std::uint32_t of_text(std::string_view text);

 private:
  using Key = std::vector<std::uint32_t>;
  std::uint32_t number(Key key);
  std::uint32_t of_literal(const Value& value);
  std::uint32_t word(std::string_view text);
  std::uint32_t make(const Node& node);

  const Program& program_;
  std::unordered_map<NodeId, std::uint32_t> known_;
  std::map<Key, std::uint32_t> numbers_;
  std::map<std::string, std::uint32_t, std::less<>> words_;
};

}  // namespace sallyport::cedar
