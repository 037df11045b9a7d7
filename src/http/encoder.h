#pragma once
// Messages to bytes. Framing is written here and only here: a message that brings its own
// Content-Length, Transfer-Encoding or Connection, or a field that could split it, is an error.

#include <cstdint>
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

/// Where a streamed body ends.
struct BodyForm {
  enum class Kind : std::uint8_t { none, length, chunked };
  Kind kind = Kind::none;
  std::uint64_t length = 0;
};

/// A head whose body follows in pieces: as it is for BodyForm::length, and for chunked through
/// append_chunk(). Fail as above. To HEAD, and with 304, the form tells what a body would have been
/// and none may follow.
Result<std::string> encode_head(const Response& response, BodyForm body, bool close);
Result<std::string> encode_head(const Request& request, BodyForm body);
/// 101: the connection is a WebSocket from here on.
Result<std::string> encode_switch(const Headers& headers);
/// `piece` is not empty: an empty chunk would end the body.
void append_chunk(std::string& to, std::string_view piece);
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

/// For origin-form targets. Content-Length is written where there is a body or the method has one.
/// `request.headers` must hold the Host. Fails with invalid as above.
Result<std::string> encode(const Request& request);

/// What every encoder asks of a field and of a status with its body: fail with invalid.
Result<void> check_field(const Header& header);
Result<void> check_form(int status, BodyForm body);

/// "Not Found"; empty for a status without a registered phrase.
std::string_view reason_phrase(int status);

}  // namespace sallyport::http
