#include "cli/client_http.h"

#include "identity/curl.h"
#include "identity/fetcher.h"

namespace sallyport::cli {
namespace {

constexpr std::size_t kBodyBytesMax = std::size_t{1} << 20;
constexpr long kTimeoutMs = 30'000;

std::size_t take_body(char* data, std::size_t, std::size_t size, void* into) {
  auto& body = static_cast<HttpAnswer*>(into)->body;
  if (body.size() + size > kBodyBytesMax) return 0;
  body.append(data, size);
  return size;
}

std::unexpected<Error> explain(const std::string& url, CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      return fail(Errc::denied, "the certificate of " + url +
                                    " is not trusted; give its authority with --ca FILE");
    case CURLE_SSL_CACERT_BADFILE:
      return fail(Errc::invalid, "the file given with --ca cannot be read");
    case CURLE_COULDNT_CONNECT:
      return fail(Errc::unavailable, "nobody answers at " + url);
    default:
      return fail(Errc::unavailable, url + ": " + curl_easy_strerror(code));
  }
}

}  // namespace

identity::Json HttpAnswer::json() const {
  auto parsed = identity::Json::parse(body, kBodyBytesMax);
  return parsed ? std::move(*parsed) : identity::Json();
}

Result<HttpAnswer> http_call(const HttpAsk& ask) {
  if (!identity::is_fetchable(ask.url)) {
    return fail(Errc::invalid, ask.url + " is not an https:// address");
  }
  const identity::Curl curl = identity::make_curl(ask.url, ask.ca_file);
  if (!curl) return fail(Errc::unavailable, "libcurl");
  HttpAnswer answer;
  CURL* handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, kTimeoutMs);  // people wait for it
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer);

  curl_slist* headers = curl_slist_append(nullptr, "Accept: application/json");
  const std::string authorization = "Authorization: Bearer " + ask.bearer;
  if (!ask.bearer.empty()) headers = curl_slist_append(headers, authorization.c_str());
  if (!ask.json.empty()) headers = curl_slist_append(headers, "Content-Type: application/json");
  const identity::CurlList owned(headers);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  const std::string& body = ask.json.empty() ? ask.form : ask.json;
  if (!body.empty()) {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
  }
  if (!ask.method.empty()) curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, ask.method.c_str());
  const CURLcode code = curl_easy_perform(handle);
  if (code != CURLE_OK) return explain(ask.url, code);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

}  // namespace sallyport::cli
