#include "identity/scram.h"

#include <algorithm>
#include <utility>

#include "base/numbers.h"

namespace sallyport::identity {
namespace {

constexpr std::size_t kNonceBytes = 18;
constexpr std::size_t kNonceCharsMax = 1024;

/// One "x=value" of a message, in its fixed place. Nothing if it is not there.
class Attributes {
 public:
  explicit Attributes(std::string_view text) : rest_(text) {}

  std::optional<std::string_view> take(char name) {
    if (rest_.size() < 2 || rest_[0] != name || rest_[1] != '=') return std::nullopt;
    const auto comma = rest_.find(',');
    const auto value = rest_.substr(2, comma == std::string_view::npos ? comma : comma - 2);
    last_ = comma == std::string_view::npos;
    rest_ = last_ ? std::string_view{} : rest_.substr(comma + 1);
    return value;
  }
  bool done() const { return last_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool last_ = false;
};

/// "printable" of RFC 5802: %x21-2B / %x2D-7E.
bool is_nonce(std::string_view text) {
  return !text.empty() && text.size() <= kNonceCharsMax &&
         std::ranges::all_of(text, [](char c) { return c >= 0x21 && c <= 0x7e && c != ','; });
}

/// saslname: UTF-8 without NUL, '=' only as =2C and =3D.
bool is_sasl_name(std::string_view text) {
  if (!is_utf8(text) || text.contains('\0')) return false;
  for (std::size_t at = 0; (at = text.find('=', at)) != std::string_view::npos; ++at) {
    const auto escape = text.substr(at, 3);
    if (escape != "=2C" && escape != "=3D") return false;
  }
  return true;
}

std::string new_nonce(Random& random) {
  ByteVector bytes(kNonceBytes);
  random.fill(bytes);
  return to_base64(bytes);
}

Digest operator^(Digest a, const Digest& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] ^= b[i];
  return a;
}

Result<Digest> digest_from_base64(std::string_view text) {
  auto bytes = from_base64(text);
  if (!bytes) return fail(bytes);
  if (bytes->size() != Digest{}.size()) return fail(Errc::malformed, "not 32 bytes");
  Digest digest;
  std::ranges::copy(*bytes, digest.begin());
  return digest;
}

/// What goes into `c=`: the GS2 header, and for -PLUS the data the channel is bound to.
std::string binding_input(std::string_view gs2_header, bool bound, Bytes server_end_point) {
  ByteVector input;
  append(input, gs2_header);
  if (bound) append(input, server_end_point);
  return to_base64(input);
}

}  // namespace

ScramKeys scram_keys(std::string_view password, Bytes salt, std::uint32_t iterations) {
  const Digest salted = pbkdf2_sha256(password, salt, iterations);
  const Digest client_key = hmac_sha256(salted, as_bytes("Client Key"));
  return {.stored_key = sha256(client_key),
          .server_key = hmac_sha256(salted, as_bytes("Server Key"))};
}

ScramServer::ScramServer(ScramVerifier verifier, ByteVector server_end_point, Random& random)
    : ScramServer(std::move(verifier), std::move(server_end_point), new_nonce(random)) {}

ScramServer::ScramServer(ScramVerifier verifier, ByteVector server_end_point, std::string nonce)
    : verifier_(std::move(verifier)),
      server_end_point_(std::move(server_end_point)),
      nonce_(std::move(nonce)) {}

std::vector<std::string_view> ScramServer::mechanisms() const {
  if (server_end_point_.empty()) return {kScram};
  return {kScramPlus, kScram};
}

Result<std::string> ScramServer::first(std::string_view mechanism, std::string_view client_first) {
  if (std::exchange(step_, Step::done) != Step::first) return fail(Errc::malformed, "out of order");
  if (client_first.size() > kScramMessageBytesMax) return fail(Errc::too_large, "client-first");
  bound_ = mechanism == kScramPlus;
  if (mechanism != kScram && !(bound_ && !server_end_point_.empty())) {
    return fail(Errc::malformed, "mechanism was not offered");
  }

  // gs2-header: flag "," [authzid] ","
  const auto flag_end = client_first.find(',');
  if (flag_end == std::string_view::npos) return fail(Errc::malformed, "no GS2 header");
  const auto flag = client_first.substr(0, flag_end);
  if (bound_) {
    if (flag != "p=tls-server-end-point") {
      return fail(Errc::malformed, "-PLUS without tls-server-end-point");
    }
  } else if (flag == "y") {
    // The client could bind and believes we cannot: someone took -PLUS off our offer.
    if (!server_end_point_.empty()) return fail(Errc::denied, "channel binding was stripped");
  } else if (flag != "n") {
    return fail(Errc::malformed, "bad channel binding flag");
  }
  if (!client_first.substr(flag_end + 1).starts_with(',')) {
    return fail(Errc::malformed, "an authorization identity is not supported");
  }
  gs2_header_ = client_first.substr(0, flag_end + 2);
  client_first_bare_ = client_first.substr(flag_end + 2);

  Attributes attributes(client_first_bare_);
  const auto user =
      attributes.take('n');  // PostgreSQL ignores it: the startup message has the name
  const auto nonce = user ? attributes.take('r') : std::nullopt;
  if (!user || !is_sasl_name(*user) || !nonce || !is_nonce(*nonce)) {
    return fail(Errc::malformed, "client-first");
  }
  // Extensions may follow; "m=", which must be understood, stands before n= and failed above.
  nonce_.insert(0, *nonce);
  server_first_ = "r=" + nonce_ + ",s=" + to_base64(verifier_.salt) +
                  ",i=" + std::to_string(verifier_.iterations);
  step_ = Step::final;
  return server_first_;
}

Result<ScramServer::Finished> ScramServer::finish(std::string_view client_final) {
  if (std::exchange(step_, Step::done) != Step::final) return fail(Errc::malformed, "out of order");
  if (client_final.size() > kScramMessageBytesMax) return fail(Errc::too_large, "client-final");
  const auto proof_at = client_final.rfind(",p=");
  if (proof_at == std::string_view::npos) return fail(Errc::malformed, "no proof");
  const auto without_proof = client_final.substr(0, proof_at);
  auto proof = digest_from_base64(client_final.substr(proof_at + 3));
  if (!proof) return fail(proof, "proof");

  Attributes attributes(without_proof);
  const auto binding = attributes.take('c');
  const auto nonce = binding ? attributes.take('r') : std::nullopt;
  if (!binding || !nonce || !attributes.done()) return fail(Errc::malformed, "client-final");
  if (*nonce != nonce_) return fail(Errc::denied, "nonce is not ours");
  if (!equal_in_constant_time(as_bytes(*binding),
                              as_bytes(binding_input(gs2_header_, bound_, server_end_point_)))) {
    return fail(Errc::denied, "bound to another channel");
  }

  const std::string message =
      client_first_bare_ + "," + server_first_ + "," + std::string(without_proof);
  const ScramVerifier::Candidate* proved = nullptr;
  for (const auto& candidate : verifier_.candidates) {  // all of them: which matched takes no time
    const Digest signature = hmac_sha256(candidate.keys.stored_key, as_bytes(message));
    const Digest client_key = *proof ^ signature;
    if (equal_in_constant_time(sha256(client_key), candidate.keys.stored_key)) proved = &candidate;
  }
  if (proved == nullptr || proved->id.empty()) return fail(Errc::denied, "proof is wrong");
  const Digest signature = hmac_sha256(proved->keys.server_key, as_bytes(message));
  return Finished{.message = "v=" + to_base64(signature), .id = proved->id};
}

ScramClient::ScramClient(std::string password, ByteVector server_end_point, Random& random)
    : ScramClient(std::move(password), std::move(server_end_point), new_nonce(random), "") {}

ScramClient::ScramClient(std::string password, ByteVector server_end_point, std::string nonce,
                         std::string user)
    : password_(std::move(password)),
      server_end_point_(std::move(server_end_point)),
      nonce_(std::move(nonce)),
      first_bare_("n=" + user + ",r=" + nonce_) {}

Result<std::string_view> ScramClient::choose(const std::vector<std::string>& offered) {
  const auto offers = [&](std::string_view name) {
    return std::ranges::find(offered, name) != offered.end();
  };
  bound_ = !server_end_point_.empty() && offers(kScramPlus);
  if (!bound_ && !offers(kScram)) return fail(Errc::denied, "no SASL mechanism in common");
  // "y" makes an honest server fail the login if its -PLUS was taken off the list on the way.
  gs2_header_ = bound_ ? "p=tls-server-end-point,," : server_end_point_.empty() ? "n,," : "y,,";
  return bound_ ? kScramPlus : kScram;
}

std::string ScramClient::first() {
  return gs2_header_ + first_bare_;
}

Result<std::string> ScramClient::respond(std::string_view server_first) {
  if (gs2_header_.empty() || server_signature_) return fail(Errc::malformed, "out of order");
  if (server_first.size() > kScramMessageBytesMax) return fail(Errc::too_large, "server-first");
  Attributes attributes(server_first);
  const auto nonce = attributes.take('r');
  const auto salt_text = nonce ? attributes.take('s') : std::nullopt;
  const auto count = salt_text ? attributes.take('i') : std::nullopt;
  if (!count || !is_nonce(*nonce)) return fail(Errc::malformed, "server-first");
  if (!nonce->starts_with(nonce_) || nonce->size() == nonce_.size()) {
    return fail(Errc::denied, "server's nonce does not extend ours");
  }
  auto salt = from_base64(*salt_text);
  if (!salt) return fail(salt, "salt");
  if (salt->empty()) return fail(Errc::malformed, "empty salt");
  auto iterations = parse_number<std::uint32_t>(*count);
  if (!iterations) return fail(iterations, "iteration count");
  if (*iterations == 0) return fail(Errc::malformed, "iteration count is 0");
  if (*iterations > kScramIterationsMax) {
    return fail(Errc::too_large, "server asks for too many iterations");
  }

  const Digest salted = pbkdf2_sha256(password_, *salt, *iterations);
  const Digest client_key = hmac_sha256(salted, as_bytes("Client Key"));
  const std::string without_proof =
      "c=" + binding_input(gs2_header_, bound_, server_end_point_) + ",r=" + std::string(*nonce);
  const std::string message = first_bare_ + "," + std::string(server_first) + "," + without_proof;
  const Digest proof = client_key ^ hmac_sha256(sha256(client_key), as_bytes(message));
  server_signature_ = hmac_sha256(hmac_sha256(salted, as_bytes("Server Key")), as_bytes(message));
  return without_proof + ",p=" + to_base64(proof);
}

Result<void> ScramClient::verify(std::string_view server_final) {
  if (!server_signature_) return fail(Errc::malformed, "out of order");
  if (server_final.size() > kScramMessageBytesMax) return fail(Errc::too_large, "server-final");
  if (server_final.starts_with("e=")) return fail(Errc::denied, "the server refused the login");
  Attributes attributes(server_final);
  const auto text = attributes.take('v');
  if (!text) return fail(Errc::malformed, "server-final");
  auto signature = digest_from_base64(*text);
  if (!signature) return fail(signature, "server signature");
  if (!equal_in_constant_time(*signature, *server_signature_)) {
    return fail(Errc::denied, "the server does not know the password");
  }
  return ok();
}

}  // namespace sallyport::identity
