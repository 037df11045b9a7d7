#include "net/kernel.h"

#include <fmt/format.h>

#include <system_error>

namespace sallyport::net {

std::unexpected<Error> fail_errno(Errc code, std::string_view doing, int error) {
  return fail(code, fmt::format("{}: {}", doing, std::generic_category().message(error)));
}

}  // namespace sallyport::net
