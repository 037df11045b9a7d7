// The first packets of a connection, which anyone may send: decoded, checked, and written again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/postgres/settings.h"
#include "protocol/postgres/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::postgres;
  const Bytes input(reinterpret_cast<const std::byte*>(data), size);
  std::size_t taken = 0;
  const auto opening = decode_opening(input, taken);
  if (opening && *opening) {
    if (taken > size) std::abort();
    if (const auto* startup = std::get_if<StartupMessage>(&**opening)) {
      (void)check_startup(*startup);
      // What was understood is all that was there.
      if (as_text(encode_startup(*startup)) != as_text(input.first(taken))) std::abort();
    }
  }
  (void)parse_options(as_text(input));
  (void)parse_search_path(as_text(input));
  return 0;
}
