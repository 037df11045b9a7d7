#pragma once
// HTTPS requests of the command line client, over libcurl. Blocking: a command does one thing.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/json.h"

namespace sallyport::cli {

struct HttpAnswer {
  int status = 0;
  std::string body;

  /// The body as a JSON object, or an empty one.
  identity::Json json() const;
};

struct HttpAsk {
  std::string url;
  std::string ca_file;  // empty: the system's
  std::string bearer;   // empty: none
  std::string form;     // posted, if not empty
  std::string json;     // posted, if not empty
  std::string method;   // empty: GET, or POST if there is something to post
};

/// Fails with unavailable or denied (certificate), in words for the person at the terminal. Follows
/// no redirects; https, or http to a loopback address only; 1 MiB; 30 s.
Result<HttpAnswer> http_call(const HttpAsk& ask);

}  // namespace sallyport::cli
