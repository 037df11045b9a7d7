// Any bytes as a body in any encoding and of any type, torn anywhere: no more comes out than the
// limits say, and where it is torn makes no difference.

#include <array>
#include <string>

#include "base/check.h"
#include "content/body_masker.h"

using namespace sallyport;
using namespace sallyport::content;

namespace {

constexpr std::array<std::string_view, 6> encodings{"identity", "gzip", "deflate",
                                                    "br",       "zstd", "x"};
constexpr std::array<std::string_view, 4> types{"application/json", "application/x-ndjson",
                                                "text/event-stream", "text/plain"};
constexpr BodyLimits limits{.decode = {.bytes_max = 1 << 20, .ratio_from_bytes = 1 << 16}};

mask::Masker& detectors() {
  static mask::Masker masker(*mask::Scanner::make(*mask::Patterns::make()), mask::Mode::mask);
  return masker;
}

Plan plan(bool classified) {
  static const auto selector = [] {
    SelectorBuilder builder;
    SALLYPORT_CHECK(builder.add({"$..e", {"pii"}}));
    return *builder.build();
  }();
  return Plan::make(classified ? selector : nullptr, {}, {}, {},
                    classified ? nullptr : &detectors());
}

bool run(BodyMasker masker, std::string_view body, std::size_t tear, std::string& text) {
  ByteVector out;
  for (std::size_t at = 0; at < body.size(); at += tear) {
    const std::string piece(body.substr(at, tear));
    Bytes input = as_bytes(piece);
    while (true) {
      const std::size_t before = out.size();
      auto all = masker.feed(input, out);
      if (!all) return false;
      SALLYPORT_CHECK(out.size() - before <= (std::size_t{2} << 20));
      if (*all) break;
    }
  }
  const bool fine = masker.finish(out).has_value();
  text = as_text(out);
  return fine;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto make = [&] {
    return BodyMasker::make(std::array{types[data[1] % 4]}, std::array{encodings[data[0] % 6]},
                            plan((data[1] & 4) != 0), limits);
  };
  auto masker = make();
  if (!masker) return 0;
  std::string whole;
  std::string torn;
  const bool fine = run(*std::move(masker), body, body.size() + 1, whole);
  const bool fine_torn = run(*make(), body, 1 + data[2] % 32, torn);
  // A compressed body can fail in another place: what it grows to is looked at after each piece.
  if (fine && fine_torn) SALLYPORT_CHECK(whole == torn);
  if (data[0] % 6 == 0) SALLYPORT_CHECK(fine == fine_torn);
  return 0;
}
