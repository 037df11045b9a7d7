#pragma once
// The one layout of policies. It changes white space only: the words and the comments of a text are
// the same before and after, in the same order, and formatting again changes nothing.

#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport::cedar {

constexpr std::size_t line_width = 100;

/// Fails on a text that is no policies, with file:line:column.
Result<std::string> format_policies(std::string_view file, std::string_view text);

}  // namespace sallyport::cedar
