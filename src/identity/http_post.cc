#include "identity/http_post.h"

#include <curl/curl.h>

#include <memory>

#include "identity/fetcher.h"

namespace sallyport::identity {
namespace {

constexpr long timeout_ms = 10'000;

struct CurlFree {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::size_t throw_away(char*, std::size_t, std::size_t size, void*) {
  return size;
}

}  // namespace

Result<long> http_post(const std::string& url, const std::string& ca_file,
                       const std::vector<std::pair<std::string, std::string>>& headers,
                       const std::string& body) {
  if (!is_fetchable(url)) return fail(Errc::invalid, "not an https URL");
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)once;
  const std::unique_ptr<CURL, CurlFree> curl(curl_easy_init());
  if (!curl) return fail(Errc::unavailable, "libcurl");
  std::unique_ptr<curl_slist, CurlFree> list;
  for (const auto& [name, value] : headers) {
    curl_slist* const longer = curl_slist_append(list.get(), (name + ": " + value).c_str());
    if (longer == nullptr) return fail(Errc::unavailable, "libcurl");
    (void)list.release();
    list.reset(longer);
  }
  CURL* handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(handle, CURLOPT_NOPROXY, "127.0.0.1,localhost,::1");
  if (!ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, ca_file.c_str());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, throw_away);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  const CURLcode code = curl_easy_perform(handle);
  if (code != CURLE_OK) return fail(Errc::unavailable, curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

}  // namespace sallyport::identity
