#include "protocol/http/conversation.h"

#include <fmt/chrono.h>

#include "base/log.h"
#include "protocol/http/exchange.h"
#include "protocol/http/problem.h"

namespace sallyport::web {
namespace {

constexpr std::uint64_t dropped_bytes_max = std::uint64_t{64} * 1024;

}  // namespace

std::string http_date(WallTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT",
                     fmt::gmtime(static_cast<std::time_t>(seconds.count())));
}

void count_rejection(const http::Rejection& rejection, std::string_view source) {
  metrics::counter("sallyport_http_rejected_requests_total",
                   "Bytes of HTTP clients that broke its rules, were ambiguous or too large.",
                   {{"status", std::to_string(rejection.status)}})
      .add();
  log::debug("http request rejected",
             {{"status", rejection.status}, {"reason", rejection.reason}, {"source", source}});
}

Conversation::Conversation(Adapter& adapter, net::Stream& client, bool tls)
    : adapter_(adapter),
      options_(adapter.options_),
      client_(client),
      tls_(tls),
      source_ip_(client.peer().ip) {}

Conversation::~Conversation() {
  close_sessions("error");  // what run() has not closed broke off
}

void Conversation::end(std::string_view why) {
  if (ended_.empty()) ended_ = why;
  for (Exchange* const exchange : exchanges_) exchange->end(why);
  client_.close();
}

void Conversation::end_if_revoked(bool policies) {
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    Opened& opened = **at++;
    if (!opened.closing.empty()) continue;
    auto why = policies ? guard().must_end(opened.session) : guard().revoked(opened.session);
    if (!why && policies) {
      for (Exchange* const exchange : exchanges_) {
        if (exchange->opened() == &opened && !exchange->may_stay_open()) exchange->end("policies");
      }
    }
    if (!why) continue;
    metrics::counter("sallyport_sessions_revoked_total",
                     "Open sessions that were ended because their right to be connected was gone.",
                     {{"protocol", "http"}})
        .add();
    // Requests of its own that are under way end with it; others' go on.
    for (Exchange* const exchange : exchanges_) {
      if (exchange->opened() == &opened) exchange->end("revoked");
    }
    close_after(opened, "revoked", *why);
  }
}

void Conversation::left(const Channel& channel) {
  for (Exchange* const exchange : exchanges_) {
    if (exchange->channel() == &channel) exchange->end("client");
  }
}

Task<void> Conversation::serve(const http::RequestHead& head, Channel& channel) {
  options_ = adapter_.options_;
  auto found = route(*options_, head.request.headers.get("Host").value_or(""), head.request.path);
  auto limited = channel.limit_body(found ? found->target->request_bytes_max : dropped_bytes_max);
  if (!limited) co_return co_await channel.refuse(limited.error());
  // Whoever sends it means another server: nothing more of it is read.
  if (!found && found.error().page == Own::misdirected) {
    co_return co_await channel.refuse({421, "no connection of this gateway has that host name"});
  }
  if (!found) {
    auto response = co_await own_page(head, std::move(found.error()));
    co_return co_await channel.respond(std::move(response));
  }
  Exchange exchange(*this, channel, head, std::move(*found));
  co_await exchange.run();
}

Task<http::Response> Conversation::own_page(const http::RequestHead& head, OwnPage page) {
  const auto& method = head.request.method;
  switch (page.page) {
    case Own::metadata:
      if (method == "GET" || method == "HEAD")
        co_return resource_metadata(page.resource, *options_);
      break;
    case Own::keys:
      if (method == "GET" || method == "HEAD") {
        co_return http::Response::json(200, adapter_.shared_.assertions.keys());
      }
      break;
    case Own::nothing:
    case Own::misdirected:
      co_return problem(404, "path", "Nothing is here",
                        "there is no such connection that you may use",
                        "paths begin with /c/NAME/, the connection's name");
  }
  auto response = problem(405, "method", "Not with this method", "this page can only be read");
  response.headers.add("Allow", "GET, HEAD");
  co_return response;
}

}  // namespace sallyport::web
