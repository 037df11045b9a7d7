#pragma once
// What every request to another party keeps to, whatever it is for.

#include <curl/curl.h>

#include <memory>
#include <string>

namespace sallyport::identity {

struct CurlFree {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Curl = std::unique_ptr<CURL, CurlFree>;
using CurlList = std::unique_ptr<curl_slist, CurlFree>;

/// No redirects, no other protocol than HTTP, TLS 1.2 at least, a certificate that is verified, 10
/// s. `ca_file` empty: the system's. `url` must be fetchable. Null: libcurl gives none.
Curl make_curl(const std::string& url, const std::string& ca_file);

}  // namespace sallyport::identity
