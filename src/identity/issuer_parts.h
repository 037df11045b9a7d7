#pragma once
// What the issuer's files share. Inside identity/ only.

#include <string>
#include <string_view>

#include "http/message.h"

namespace sallyport::identity {

/// RFC 6749 section 5.2.
http::Response oauth_error(std::string_view code, std::string_view description, int status = 400);
/// JSON that no cache may keep.
http::Response fresh_json(int status, std::string body);
/// "https://a.example:8443" of an URL, as CSP wants it.
std::string origin_of(std::string_view url);
/// A value of a form, or "".
template <class Form>
std::string field(const Form& form, std::string_view name) {
  const auto found = form.find(std::string(name));
  return found == form.end() ? std::string() : found->second;
}

}  // namespace sallyport::identity
