#pragma once
// GET over HTTPS for issuers' documents, on one helper thread, off the path of any command.

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "identity/helper_thread.h"

namespace sallyport::identity {

struct Fetched {
  std::string body;
  std::optional<std::uint32_t> max_age_s;  // Cache-Control
};

class Fetcher {
 public:
  using Done = std::function<void(Result<Fetched>)>;

  virtual ~Fetcher() = default;
  /// Calls `done` exactly once, on any thread, perhaps before it returns.
  virtual void get(std::string url, std::string ca_file, Done done) = 0;
};

/// True for https, and for http to a loopback address.
bool is_fetchable(std::string_view url);

/// libcurl: no redirects, no other protocol, 256 KiB, 10 s, a certificate that is verified.
class CurlFetcher final : public Fetcher {
 public:
  void get(std::string url, std::string ca_file, Done done) override;

 private:
  HelperThread thread_{256};
};

}  // namespace sallyport::identity
