#pragma once
// A private certificate authority for the demo and the tests. ECDSA P-256, PEM.

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace sallyport::net {

struct CertificateAndKey {
  std::string certificate_pem;
  std::string key_pem;
};

struct CertificateRequest {
  std::string common_name;
  std::vector<std::string> names;  // DNS names
  std::vector<std::string> ips;    // numeric
  WallTime not_before{};
  WallTime not_after{};
  bool for_client = false;  // else for a server
};

/// A self-signed CA, valid for `valid_for` from an hour before `now`.
Result<CertificateAndKey> make_ca(const std::string& common_name, WallTime now,
                                  std::chrono::hours valid_for);
/// A leaf signed by `ca`. invalid: an IP that is none, or a CA that does not parse.
Result<CertificateAndKey> make_certificate(const CertificateAndKey& ca,
                                           const CertificateRequest& request);

}  // namespace sallyport::net
