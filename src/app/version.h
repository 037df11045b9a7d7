#pragma once
// Which Sallyport this is. The commit is looked up at every build; only one small file is compiled
// again when it changes.

#include <string_view>

namespace sallyport::app {

std::string_view version();  // "0.1.0"
std::string_view commit();   // "1a2b3c4d5e6f", with "-dirty" if the tree had changes; or "unknown"

}  // namespace sallyport::app
