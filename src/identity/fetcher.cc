#include "identity/fetcher.h"

#include "base/numbers.h"
#include "http/text.h"
#include "identity/curl.h"
#include "identity/jwk.h"

namespace sallyport::identity {
namespace {

std::size_t take_body(char* data, std::size_t, std::size_t size, void* into) {
  auto& body = static_cast<Fetched*>(into)->body;
  if (body.size() + size > kJwksBytesMax) return 0;  // makes the transfer fail
  body.append(data, size);
  return size;
}

std::size_t take_header(char* data, std::size_t, std::size_t size, void* into) {
  const std::string_view line(data, size);
  const auto colon = line.find(':');
  if (colon == std::string_view::npos ||
      !http::equal_ignoring_case(line.substr(0, colon), "cache-control")) {
    return size;
  }
  const auto at = line.find("max-age=");
  if (at == std::string_view::npos) return size;
  auto digits = line.substr(at + 8);
  digits = digits.substr(0, digits.find_first_not_of("0123456789"));
  if (auto age = parse_number<std::uint32_t>(digits)) {
    static_cast<Fetched*>(into)->max_age_s = *age;
  }
  return size;
}

Result<Fetched> fetch(const std::string& url, const std::string& ca_file) {
  if (!is_fetchable(url)) return fail(Errc::invalid, url + " is not an https URL");
  const Curl curl = make_curl(url, ca_file);
  if (!curl) return fail(Errc::unavailable, "libcurl");
  Fetched fetched;
  CURL* handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &fetched);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &fetched);
  const CURLcode code = curl_easy_perform(handle);
  if (code != CURLE_OK) return fail(Errc::unavailable, url + ": " + curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) {
    return fail(Errc::unavailable, url + " answers " + std::to_string(status));
  }
  return fetched;
}

}  // namespace

bool is_fetchable(std::string_view url) {
  const auto is_https = url.starts_with("https://");
  if (!is_https && !url.starts_with("http://")) return false;
  auto authority = url.substr(url.find("//") + 2);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  if (authority.empty() || authority.contains('@')) return false;
  if (is_https) return true;
  const auto host = authority.starts_with('[') ? authority.substr(0, authority.find(']') + 1)
                                               : authority.substr(0, authority.find(':'));
  return host == "127.0.0.1" || host == "localhost" || host == "[::1]";
}

void CurlFetcher::get(std::string url, std::string ca_file, Done done) {
  thread_.run(
      [url = std::move(url), ca_file = std::move(ca_file), done = std::move(done)](bool cancelled) {
        if (cancelled) return done(fail(Errc::unavailable, "not fetched: busy or shutting down"));
        done(fetch(url, ca_file));
      });
}

}  // namespace sallyport::identity
