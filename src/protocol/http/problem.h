#pragma once
// What a client is told when there is no answer of the target: application/problem+json (RFC 9457),
// by one table.

#include <string>
#include <string_view>

#include "core/model.h"
#include "http/message.h"
#include "protocol/http/options.h"

namespace sallyport::web {

/// `what` is the last part of the problem's type: "policy" of urn:sallyport:problem:policy.
http::Response problem(int status, std::string_view what, std::string_view title,
                       std::string_view detail, std::string_view hint = "");

/// 403, or 401 where the credential is over, or 503 where it could not be recorded. With the id of
/// the request for approval, its URL, and `next_action` for programs: retry, request or none.
http::Response refused(const Refusal& refusal, const Options& options);

/// 401 with where a token for `resource` is to be had (RFC 6750, RFC 9728). `error` is
/// "invalid_token", or empty if none was presented.
http::Response unauthorized(std::string_view resource, std::string_view error,
                            std::string_view detail, std::string_view hint);

/// The metadata of a protected resource (RFC 9728).
http::Response resource_metadata(std::string_view resource, const Options& options);

}  // namespace sallyport::web
