// A target that answers the gateway's login with any bytes: authentication requests, SCRAM,
// parameters, keys, errors. It is refused or logged in to, and never gets the password.

#include <stdlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "ledger/files.h"
#include "net/memory_stream.h"
#include "net/reactor.h"
#include "policy/policies.h"
#include "protocol/postgres/upstream.h"

namespace sallyport::postgres {
namespace {

constexpr std::string_view password = "the-gateways-own-password";
constexpr std::size_t piece_bytes = 7;  // tears messages

/// Always the same nonce, so that an input can go on where another one ended.
class SameBytes final : public Random {
 public:
  void fill(std::span<std::byte> into) override {
    for (std::byte& byte : into) byte = std::byte{1};
  }
};

Task<std::expected<Permit, Refusal>> open_session(Guard& guard) {
  Session session;
  session.id = "s1";
  session.protocol = "postgres";
  session.connection = "shop";
  session.database = "shop";
  session.authentication.method = "ticket";
  session.source_ip = "127.0.0.1";
  session.chain.identities.push_back({.id = "alice", .issuer = "https://issuer", .subject = "a"});
  Command connect;
  connect.kind = "connect";
  connect.actions = {{.name = "connect", .resource = {.type = "Connection", .id = "shop"}}};
  co_return co_await guard.open(session, std::move(connect));
}

/// What the gateway needs beside the target, made once.
struct House {
  std::unique_ptr<net::Reactor> reactor = net::Reactor::make().value();
  std::unique_ptr<Ledger> ledger;
  std::unique_ptr<Guard> guard;
  std::unique_ptr<Permit> permit;
  std::shared_ptr<Target> target = std::make_shared<Target>();

  House() {
    std::string name = (std::filesystem::temp_directory_path() / "upstream-fuzz-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    ledger = Ledger::open({.directory = name, .segment_bytes = std::size_t{1} << 20},
                          ledger::system_files(), system_clock(), system_random())
                 .value();
    auto policies =
        policy::Policies::make({{"all.cedar", "permit (principal, action, resource);"}},
                               {{.name = "shop", .protocol = "postgres", .env = "test"}});
    guard = std::make_unique<Guard>(policies.value(), *ledger, system_clock());
    auto opened = reactor->run_to_end(open_session(*guard));
    permit = std::make_unique<Permit>(std::move(opened.value()));
    std::filesystem::remove_all(name);  // open files stay until the end
    target->connection = "shop";
    target->user = "gateway";
    target->password = password;
    target->databases = {"shop"};
  }
};

Task<void> log_in(House& house, Bytes from_target) {
  auto pair = net::make_memory_pair({.read_bytes_max = piece_bytes});
  pair.b->feed(from_target);
  pair.a->set_faults({.fail_read = (from_target.size() + piece_bytes - 1) / piece_bytes + 1});
  SameBytes random;
  (void)co_await Upstream::log_in_over(*house.permit, house.target, std::move(pair.a), {},
                                       {.database = "shop", .label = "fuzz"}, random);
  std::string sent;
  while (true) {
    auto chunk = co_await pair.b->read();
    if (!chunk) break;  // the gateway's end is gone
    sent += as_text(chunk->bytes());
  }
  if (sent.empty() || sent.contains(password)) std::abort();
}

}  // namespace
}  // namespace sallyport::postgres

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::postgres;
  static House& house = *new House;
  house.reactor->run_to_end(log_in(house, Bytes(reinterpret_cast<const std::byte*>(data), size)));
  return 0;
}
