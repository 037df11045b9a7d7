#include "protocol/http/problem.h"

#include <algorithm>
#include <boost/json.hpp>

#include "protocol/http/routing.h"

namespace sallyport::web {
namespace {

namespace json = boost::json;

json::object object_of(int status, std::string_view what, std::string_view title,
                       std::string_view detail, std::string_view hint) {
  json::object body{{"type", "urn:sallyport:problem:" + std::string(what)},
                    {"title", title},
                    {"status", status},
                    {"detail", detail}};
  if (!hint.empty()) body["hint"] = hint;
  return body;
}

http::Response response_of(int status, const json::object& body) {
  http::Response response{.status = status};
  response.headers.add("Content-Type", "application/problem+json");
  response.headers.add("Cache-Control", "no-store");
  response.body = json::serialize(body);
  return response;
}

struct Told {
  int status;
  std::string_view what;
  std::string_view title;
  std::string_view next_action;  // what a program may do: "retry" later as it is, or "none"
};

Told told_of(Refusal::Kind kind) {
  switch (kind) {
    case Refusal::Kind::policy:
      return {403, "policy", "Not permitted", "none"};
    case Refusal::Kind::not_analysed:
      return {403, "not-analysed", "Not understood, so not permitted", "none"};
    case Refusal::Kind::approval:
      return {403, "approval", "Approval needed", "retry"};
    case Refusal::Kind::cancelled:
      return {403, "approval", "The request for approval was withdrawn", "none"};
    case Refusal::Kind::not_recorded:
      return {503, "not-recorded", "It cannot be recorded", "retry"};
    case Refusal::Kind::session:
      return {401, "credential", "The credential is over", "none"};
  }
  return {403, "policy", "Not permitted", "none"};
}

/// For a quoted-string of a header field.
std::string quotable(std::string_view text) {
  std::string plain;
  for (const char c : text) plain += c >= ' ' && c <= '~' && c != '"' && c != '\\' ? c : '\'';
  return plain;
}

}  // namespace

http::Response problem(int status, std::string_view what, std::string_view title,
                       std::string_view detail, std::string_view hint) {
  return response_of(status, object_of(status, what, title, detail, hint));
}

http::Response refused(const Refusal& refusal, const Options& options) {
  const Told told = told_of(refusal.kind);
  json::object body = object_of(told.status, told.what, told.title, refusal.reason, refusal.hint);
  if (!refusal.policy.empty()) body["policy"] = refusal.policy;
  body["next_action"] = told.next_action;
  if (!refusal.request.empty()) {
    body["request"] = refusal.request;
    if (!options.approvals_url.empty()) {
      body["request_url"] = options.approvals_url + refusal.request;
    }
  } else if (refusal.kind == Refusal::Kind::approval) {
    body["next_action"] = "none";
  }
  return response_of(told.status, body);
}

http::Response unauthorized(std::string_view resource, std::string_view error,
                            std::string_view detail, std::string_view hint) {
  http::Response response = problem(401, "credential", "Not authenticated", detail, hint);
  std::string challenge = "Bearer ";
  if (!error.empty()) {
    challenge +=
        "error=\"" + std::string(error) + "\", error_description=\"" + quotable(detail) + "\", ";
  }
  challenge += "resource_metadata=\"" + quotable(metadata_url(resource)) + "\"";
  response.headers.add("WWW-Authenticate", std::move(challenge));
  return response;
}

http::Response resource_metadata(std::string_view resource, const Options& options) {
  json::array servers;
  for (const std::string& server : options.authorization_servers) servers.emplace_back(server);
  auto response = http::Response::json(
      200, json::serialize(json::object{{"resource", resource},
                                        {"authorization_servers", std::move(servers)},
                                        {"bearer_methods_supported", json::array{"header"}}}));
  response.headers.add("Cache-Control", "no-store");
  return response;
}

}  // namespace sallyport::web
