#pragma once
// The policy language as text. Every error says file:line:column and, where there is one, a hint.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cedar/program.h"

namespace sallyport::cedar {

constexpr std::size_t policy_bytes_max = 4 << 20;  // of one text
constexpr std::size_t policies_max = 20'000;       // in one set
constexpr std::uint32_t nesting_max = 250;         // brackets, `if`s and such inside each other

/// Where policy ids come from.
enum class Ids {
  by_position,      // policy0, policy1 ... in the order of the text
  from_annotation,  // @id("..."), or by position where there is none
};

/// Adds the policies and templates of `text` to `policies` and their conditions to `program`. After
/// a failure both may hold part of the text and are to be thrown away.
Result<void> parse_policies(std::string_view file, std::string_view text, Ids ids, Program& program,
                            std::vector<Policy>& policies);

/// An entity as a policy writes it: Table::"shop/shop/public/customers".
struct UidText {
  std::string type;
  std::string id;
};
Result<UidText> parse_uid(std::string_view text);

}  // namespace sallyport::cedar
