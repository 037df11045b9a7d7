#pragma once
// Messages to bytes. Framing is written here and only here: a message that brings its own
// Content-Length, Transfer-Encoding or Connection, or a field that could split it, is an error.

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace sallyport::http {

struct ResponseForm {
  bool to_head = false;  // the answer to HEAD: the same fields, no body
  bool close = false;    // the connection closes after it
};

/// Fails with invalid for a status outside 200..599, a body where none may be, or a refused field.
Result<std::string> encode(const Response& response, ResponseForm form);

/// For origin-form targets. Content-Length is written where there is a body or the method has one.
/// `request.headers` must hold the Host. Fails with invalid as above.
Result<std::string> encode(const Request& request);

/// "Not Found"; empty for a status without a registered phrase.
std::string_view reason_phrase(int status);

}  // namespace sallyport::http
