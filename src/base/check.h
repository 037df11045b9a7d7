#pragma once
// SALLYPORT_CHECK: an invariant that is on in release builds. A gateway that cannot vouch for
// its own state must stop rather than go on.

#include <string_view>

namespace sallyport {

[[noreturn]] void check_failed(std::string_view condition, std::string_view file, int line);

}  // namespace sallyport

#define SALLYPORT_CHECK(condition) \
  ((condition) ? void() : ::sallyport::check_failed(#condition, __FILE_NAME__, __LINE__))
