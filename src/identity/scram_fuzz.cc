// Hostile bytes on both sides of a SCRAM login.

#include <cstddef>
#include <cstdint>

#include "identity/scram.h"

using namespace sallyport;
using namespace sallyport::identity;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const auto middle = all.find('\n');
  const auto one = all.substr(0, middle);
  const auto two = middle == std::string_view::npos ? std::string_view{} : all.substr(middle + 1);

  ScramVerifier verifier{.salt = ByteVector(16), .iterations = 1, .candidates = {{{}, "id"}}};
  for (const bool bound : {false, true}) {
    ScramServer server(verifier, bound ? ByteVector(32) : ByteVector{}, std::string("server"));
    if (server.first(bound ? kScramPlus : kScram, one)) (void)server.finish(two);
    ScramClient client("secret", bound ? ByteVector(32) : ByteVector{}, "client", "");
    (void)client.choose({"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"});
    // A large count is slow by design, not a finding.
    if (!one.contains(",i=") || one.size() - one.find(",i=") <= 6) {
      if (client.respond(one)) (void)client.verify(two);
    }
  }
  return 0;
}
