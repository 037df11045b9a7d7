// Whatever a client sends: what goes to the target is one request, the one that was decided, with
// none of the client's credentials in it.

#include <cstdlib>

#include "base/check.h"
#include "core/resource_id.h"
#include "http/request_decoder.h"
#include "http/text.h"
#include "protocol/http/analyse.h"

namespace sallyport::web {
namespace {

const Options& options() {
  static const Options made = [] {
    auto crm = std::make_shared<Target>();
    crm->connection = "crm";
    crm->authority = "crm.internal";
    crm->hosts = {"crm.gw"};
    crm->credential.add("X-Api-Key", "key");
    Options all;
    all.targets.emplace("crm", crm);
    all.public_url = "http://gw";
    all.public_host = "gw";
    return all;
  }();
  return made;
}

void check(const http::RequestHead& head) {
  auto found = route(options(), head.request.headers.get("Host").value_or(""), head.request.path);
  if (!found) return;
  (void)preferred_wait_s(head.request.headers);
  auto command = analyse(head, *found, {.ip = "10.0.0.1"});
  if (!command) return;
  const std::string sent = std::string(as_text(command->raw)) + "\r\n";
  http::RequestHeadDecoder decoder;
  Bytes input = as_bytes(sent);
  auto again = decoder.take(input);
  SALLYPORT_CHECK(again && *again && input.empty());
  const http::Request& request = (*again)->request;
  SALLYPORT_CHECK(request.method == head.request.method && request.path == found->path);
  SALLYPORT_CHECK(request.query == head.request.query);
  SALLYPORT_CHECK((*again)->framing.kind == head.framing.kind || head.framing.length == 0);
  SALLYPORT_CHECK((*again)->framing.length == head.framing.length);
  SALLYPORT_CHECK(request.headers.get("Host") == "crm.internal");
  SALLYPORT_CHECK(!request.headers.get("Authorization") && !request.headers.get("X-Api-Key"));
  for (const auto& header : request.headers.all) SALLYPORT_CHECK(!header.name.contains('_'));
  SALLYPORT_CHECK(command->actions.size() == 1);
  const auto endpoint = endpoint_name(command->actions[0].resource.id);
  SALLYPORT_CHECK(endpoint && endpoint->path == found->path && endpoint->method == request.method);
}

void check_answer(std::string_view text) {
  http::ResponseHeadDecoder decoder(false);
  Bytes input = as_bytes(text);
  auto head = decoder.take(input);
  if (!head || !*head) return;
  const Route by_path{options().targets.at("crm"), "/c/crm", "/", "http://gw/c/crm"};
  for (const auto& header : response_fields(**head, by_path).all) {
    SALLYPORT_CHECK(!http::equal_ignoring_case(header.name, "Connection"));
    SALLYPORT_CHECK(!header.value.contains('\r') && !header.value.contains('\n'));
  }
}

}  // namespace
}  // namespace sallyport::web

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  http::RequestHeadDecoder decoder;
  Bytes input = as_bytes(text);
  while (!input.empty()) {
    auto head = decoder.take(input);
    if (!head || !*head) break;
    web::check(**head);
  }
  web::check_answer(text);
  return 0;
}
