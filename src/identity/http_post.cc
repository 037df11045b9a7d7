#include "identity/http_post.h"

#include "identity/curl.h"
#include "identity/fetcher.h"

namespace sallyport::identity {
namespace {

std::size_t throw_away(char*, std::size_t, std::size_t size, void*) {
  return size;
}

/// libcurl asks at least once a second.
int give_up(void* stop, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::stop_token*>(stop)->stop_requested() ? 1 : 0;
}

}  // namespace

Result<long> http_post(const std::string& url, const std::string& ca_file,
                       const std::vector<std::pair<std::string, std::string>>& headers,
                       const std::string& body, std::stop_token stop) {
  if (!is_fetchable(url)) return fail(Errc::invalid, "not an https URL");
  const Curl curl = make_curl(url, ca_file);
  if (!curl) return fail(Errc::unavailable, "libcurl");
  CurlList list;
  for (const auto& [name, value] : headers) {
    curl_slist* const longer = curl_slist_append(list.get(), (name + ": " + value).c_str());
    if (longer == nullptr) return fail(Errc::unavailable, "libcurl");
    (void)list.release();
    list.reset(longer);
  }
  CURL* handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, throw_away);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, list.get());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, give_up);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &stop);
  const CURLcode code = curl_easy_perform(handle);
  if (code != CURLE_OK) return fail(Errc::unavailable, curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

}  // namespace sallyport::identity
