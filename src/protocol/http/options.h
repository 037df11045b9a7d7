#pragma once
// What an operator sets for HTTP, checked when the configuration loads and immutable after.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "content/body_masker.h"
#include "content/openapi.h"
#include "http/head.h"
#include "net/tls.h"

namespace sallyport::web {

/// What of a target's answers is masked for whom, by class and by detectors.
struct Masking {
  std::shared_ptr<const content::OpenApi> openapi;    // null: none; else it has the paths, too
  std::shared_ptr<const content::Selector> selector;  // of the paths alone
  mask::Rules rules;
  content::MaskKey key;
  mask::Mode detect = mask::Mode::off;
  mask::DetectorSet detectors;
  std::shared_ptr<const mask::Patterns> patterns;  // null where `detect` is off

  /// Nothing is looked at: answers go by as they come.
  bool idle() const {
    return detect == mask::Mode::off && openapi == nullptr && selector == nullptr;
  }
};

/// Where a connection leads, and as whom the gateway speaks there.
struct Target {
  std::string connection;  // "crm"
  std::string host;
  std::uint16_t port = 443;
  std::string authority;                             // what the target is told as Host
  std::shared_ptr<const net::TlsClientContext> tls;  // null: plaintext
  std::vector<std::string> hosts;  // names of ours that lead here, lower case, without a port
  /// What the gateway adds to every request, checked: "Authorization: Basic ..." and the like.
  http::Headers credential;
  std::vector<std::string> secrets;  // of it: what must not come back
  /// What Sallyport-Assertion is for; empty: the target gets none.
  std::string audience;
  std::vector<std::string> dropped;  // further fields of the client's that do not pass, lower case
  std::uint64_t request_bytes_max = std::uint64_t{16} << 20;
  std::uint64_t request_bytes_per_s_min = 500;  // of a body, once Options::body_s_max was waited
  std::uint64_t response_bytes_max = std::numeric_limits<std::uint64_t>::max();
  std::chrono::seconds connect_s_max{10};
  std::chrono::seconds response_s_max{60};  // until the next byte of an answer
  std::size_t websocket_message_bytes_max = std::size_t{1} << 20;
  std::chrono::seconds websocket_idle_s_max{3600};  // without a message either way
  std::size_t idle_max = 32;                        // connections kept, per worker
  std::chrono::seconds idle_s_max{30};              // and how long
  Masking masking;
};

struct Options {
  std::shared_ptr<const net::TlsServerContext> tls;              // null: plaintext
  std::map<std::string, std::shared_ptr<const Target>> targets;  // by connection
  std::string public_url;   // how clients reach the listener, no slash behind
  std::string public_host;  // of it, lower case, without a port
  std::vector<std::string> authorization_servers;  // for who has no token yet; the first is best
  std::string approvals_url;                       // of the admin port, or empty

  http::HeadLimits head;
  std::size_t clients_max = 10'000;                      // per worker
  std::uint32_t streams_max = 100;                       // of one HTTP/2 client, at once
  std::size_t held_bytes_max = std::size_t{256} * 1024;  // of a body that people have to approve
  std::chrono::seconds head_s_max{15};                   // from its first byte
  std::chrono::seconds body_s_max{30};       // until the next piece; all of it, where it is held
  std::chrono::seconds idle_s_max{60};       // between two requests
  std::chrono::seconds write_s_max{60};      // for the client to take what it is sent
  std::chrono::seconds approval_s_max{300};  // a request waits for people, if it asks to
};

}  // namespace sallyport::web
