#pragma once
// Heads of HTTP/2 (RFC 9113 section 8): requests to, and answers from, the same values as those of
// HTTP/1.1. What two
// readers could understand differently is refused here as there, and in the same words.

#include <vector>

#include "base/result.h"
#include "http/encoder.h"
#include "http/head.h"
#include "http/message.h"
#include "http/request_decoder.h"

namespace sallyport::http {

/// Of a request whose body ends with it, if `ended`. `fields` as they came, pseudo-header fields
/// first. `host` becomes Host, which :authority must agree with; crumbs of a cookie become one.
Decoded<RequestHead> read_request_fields(std::vector<Header> fields, bool ended,
                                         const HeadLimits& limits);

/// Fail with invalid as encode_head() does.
Result<std::vector<Header>> fields_of(const Response& response, BodyForm body);

}  // namespace sallyport::http
