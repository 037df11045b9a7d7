#pragma once
// POST over HTTPS to whom the operator named: a webhook. Waits; for a thread that may.

#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace sallyport::identity {

/// The status of the answer, whose body is thrown away. No redirects, no other protocol, 10 s, a
/// certificate that is verified; plain HTTP to a loopback address only. `ca_file` empty: the
/// system's. Errors do not name the URL: it may be a secret itself. Within a second of `stop` it
/// gives up.
Result<long> http_post(const std::string& url, const std::string& ca_file,
                       const std::vector<std::pair<std::string, std::string>>& headers,
                       const std::string& body, std::stop_token stop = {});

}  // namespace sallyport::identity
