#include "app/mask_key.h"

#include <algorithm>

#include "app/demo_files.h"
#include "app/postgres_options.h"
#include "base/bytes.h"

namespace sallyport::app {

Result<std::string> mask_key(const std::filesystem::path& data, Random& random) {
  constexpr std::size_t digits = 64;
  const std::filesystem::path file = data / "mask.key";
  if (!std::filesystem::exists(file)) {
    std::string key = random_hex(random, digits / 2);
    if (auto wrote = write_private_file(file, key + "\n"); !wrote) return fail(wrote);
    return key;
  }
  auto text = read_text_file(file);
  if (!text) return fail(text);
  while (text->ends_with('\n')) text->pop_back();
  const bool good = text->size() == digits && std::ranges::all_of(*text, [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                    });
  if (!good) return fail(Errc::invalid, file.string() + " is not 64 hex digits");
  return text;
}

}  // namespace sallyport::app
