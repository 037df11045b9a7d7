#pragma once
// From a request to a Command: what it would do, in the words of the policies, and the head that
// the target would get. Pure.

#include <string>
#include <string_view>

#include "core/model.h"
#include "http/request_decoder.h"
#include "protocol/http/fields.h"
#include "protocol/http/routing.h"

namespace sallyport::web {

/// `command.raw` is the head for the target, but for the empty line that ends it: the gateway's own
/// fields stand there. Fails with invalid on a request that cannot be said again as one.
Result<Command> analyse(const http::RequestHead& head, const Route& route,
                        const ClientFacts& client);

/// The same request with its whole body, which people are asked about: says so in the command.
void add_body(Command& command, const std::string& body);

/// "GET /customers?page=2", for people: values of parameters whose names say that they are secret
/// are left out.
std::string request_line(std::string_view method, std::string_view path, std::string_view query);

}  // namespace sallyport::web
