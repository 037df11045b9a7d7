#pragma once
// Which header fields pass, in either direction, and what the gateway puts in their place. Pure.

#include <string>
#include <string_view>

#include "http/message.h"
#include "http/response_decoder.h"
#include "protocol/http/routing.h"

namespace sallyport::web {

/// What the gateway knows of the client, for the target: never what the client says.
struct ClientFacts {
  std::string ip;
  bool tls = false;
};

/// What of a client's fields goes to the target, with Host and X-Forwarded-* of our own. Left out:
/// credentials, what is about the connection, whatever could tell the target who asks or from where
/// (in any spelling), and every name with a character other than letters, digits and '-', which a
/// target might take for another name.
http::Headers request_fields(const http::Request& request, const Route& route,
                             const ClientFacts& client);

/// What of a target's fields goes to the client. Paths of the target in Location and Set-Cookie
/// become paths of ours.
http::Headers response_fields(const http::ResponseHead& head, const Route& route);

/// The method asks for no change (RFC 9110 section 9.2.1).
bool is_safe(std::string_view method);

/// True for a field that is about the connection, or that the codec or the gateway writes: it can
/// hold no credential. `name` in lower case.
bool is_written_here(std::string_view name);

/// True for a field that a client may not send to a target. `name` in lower case.
bool is_owned(std::string_view name);

/// The token of "Authorization: Bearer ...", or "".
std::string_view bearer(const http::Headers& headers);

/// The seconds of "Prefer: wait=N" (RFC 7240), or 0.
std::uint32_t preferred_wait_s(const http::Headers& headers);

}  // namespace sallyport::web
