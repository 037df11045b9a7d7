#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace sallyport {

void check_failed(std::string_view condition, std::string_view file, int line) {
  std::fprintf(stderr, "sallyport: invariant broken at %.*s:%d: %.*s\n",
               static_cast<int>(file.size()), file.data(), line, static_cast<int>(condition.size()),
               condition.data());
  std::abort();
}

}  // namespace sallyport
