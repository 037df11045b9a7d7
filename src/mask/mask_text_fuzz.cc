// Any value: hidden in one piece and torn it must come out the same, as long as it went in; only
// looking at it must not change it; and what is left must not be found again as what it was.

#include <algorithm>
#include <string>

#include "base/check.h"
#include "mask/masker.h"

using namespace sallyport;

namespace {

mask::Masker& masker(mask::Mode mode) {
  static const auto patterns = *mask::Patterns::make();
  static mask::Masker hides(*mask::Scanner::make(patterns), mask::Mode::mask);
  static mask::Masker reports(*mask::Scanner::make(patterns), mask::Mode::report);
  return mode == mask::Mode::mask ? hides : reports;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  // Long values are made of short ones: a fuzzer does not get to 64 KB by itself.
  const std::size_t times = data[2] < 8 ? 1 + 80'000 / size : 1;
  const std::size_t tear = 1 + data[0] * std::size_t{data[1]} + (times > 1 ? 999 : 0);
  const std::string seed(reinterpret_cast<const char*>(data) + 3, size - 3);
  std::string value;
  for (std::size_t i = 0; i < times; ++i) value += seed;

  mask::Findings looked;
  std::string same = value;
  SALLYPORT_CHECK(masker(mask::Mode::report).whole(same, {}, looked));
  SALLYPORT_CHECK(same == value);

  mask::Findings found;
  std::string whole = value;
  const bool fine = masker(mask::Mode::mask).whole(whole, {}, found).has_value();
  SALLYPORT_CHECK(whole.size() == value.size());

  mask::TextStream stream;
  mask::Findings found_torn;
  ByteVector out;
  bool fine_torn = true;
  stream.begin({});
  for (std::size_t at = 0; fine_torn;) {
    const std::size_t piece = std::min(tear, value.size() - at);
    const bool last = at + piece == value.size();
    fine_torn = stream
                    .feed(masker(mask::Mode::mask), std::string_view(value).substr(at, piece), last,
                          out, found_torn)
                    .has_value();
    at += piece;
    if (last) break;
  }
  SALLYPORT_CHECK(fine == fine_torn);
  if (!fine) return 0;
  SALLYPORT_CHECK(as_text(out) == whole);
  SALLYPORT_CHECK(found.found == found_torn.found && found.withheld == found_torn.withheld);
  return 0;
}
