#pragma once
// The issuer's HTML: plain, works without JavaScript, readable by a screen reader.

#include <map>
#include <string>
#include <string_view>

#include "http/message.h"

namespace sallyport::identity {

std::string escape_html(std::string_view text);

struct LoginPage {
  std::string title;
  std::string intro;    // one sentence
  std::string action;   // path of the form
  std::string problem;  // shown as an alert, or empty
  std::map<std::string, std::string> hidden;
  bool asks_user_code = false;
  std::string user_code;
  std::string button = "Log in";
  /// Where the form may lead (CSP form-action), besides here: an origin.
  std::string leads_to;
};

/// With headers that keep it out of frames, caches and the reach of scripts.
http::Response render(const LoginPage& page, int status, std::string_view nonce);
http::Response render_message(std::string_view title, std::string_view text, int status,
                              std::string_view nonce);

}  // namespace sallyport::identity
