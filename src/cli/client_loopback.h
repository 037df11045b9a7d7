#pragma once
// The other end of a login in the browser (RFC 8252): one port on 127.0.0.1, open until the answer
// is there.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/listener.h"
#include "net/reactor.h"

namespace sallyport::cli {

class Loopback {
 public:
  static Result<std::unique_ptr<Loopback>> open();

  /// "http://127.0.0.1:<port>/callback"
  std::string redirect_uri() const;

  /// The parameters of the first GET /callback that carries `state`; what else comes to the port is
  /// answered with 404. Fails with timeout.
  Result<std::map<std::string, std::string>> wait(const std::string& state,
                                                  std::chrono::seconds limit);

 private:
  using Answer = std::map<std::string, std::string>;
  Loopback(std::unique_ptr<net::Reactor> reactor, std::unique_ptr<net::Listener> listener);
  net::Task<Result<Answer>> accept_answer(std::string state);
  net::Task<Result<Answer>> read_answer(net::Stream& stream, const std::string& state);
  net::Task<void> close_after(std::chrono::seconds limit);

  std::unique_ptr<net::Reactor> reactor_;
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace sallyport::cli
