// From a request to a connection, a command and the head that the target gets.

#include <gtest/gtest.h>

#include "http/request_decoder.h"
#include "protocol/http/analyse.h"
#include "protocol/http/fields.h"
#include "protocol/http/routing.h"

namespace sallyport::web {
namespace {

Options options() {
  auto crm = std::make_shared<Target>();
  crm->connection = "crm";
  crm->authority = "crm.internal:8443";
  crm->hosts = {"crm.gw.example"};
  crm->credential.add("X-Api-Key", "key-of-the-gateway");
  crm->dropped = {"x-acme-user"};
  Options made;
  made.targets.emplace("crm", crm);
  made.public_url = "https://gw.example:6443";
  made.public_host = "gw.example";
  return made;
}

http::RequestHead head_of(std::string_view text) {
  http::RequestHeadDecoder decoder;
  Bytes input = as_bytes(text);
  auto taken = decoder.take(input);
  EXPECT_TRUE(taken && *taken) << text;
  return taken && *taken ? std::move(**taken) : http::RequestHead{};
}

Route routed(std::string_view host, std::string_view path) {
  const Options all = options();
  auto found = route(all, host, path);
  EXPECT_TRUE(found) << host << path;
  return found ? *found : Route{all.targets.at("crm"), "", "/", ""};
}

Command command_of(std::string_view text) {
  const auto head = head_of(text);
  auto command = analyse(head, routed(*head.request.headers.get("Host"), head.request.path),
                         {.ip = "10.1.1.1"});
  EXPECT_TRUE(command) << (command ? "" : command.error().detail);
  return command ? std::move(*command) : Command{};
}

TEST(HttpRouting, IsByHostOrByPath) {
  EXPECT_EQ(routed("crm.gw.example", "/a/b").path, "/a/b");
  EXPECT_EQ(routed("CRM.GW.example:6443", "/").prefix, "");
  EXPECT_EQ(routed("gw.example:6443", "/c/crm/a/b").path, "/a/b");
  EXPECT_EQ(routed("gw.example", "/c/crm").path, "/");
  EXPECT_EQ(routed("gw.example", "/c/crm/").prefix, "/c/crm");
  EXPECT_EQ(routed("gw.example", "/c/crm/").resource, "https://gw.example:6443/c/crm");
  EXPECT_EQ(routed("gw.example", "/c/crm/.well-known/jwks.json").path, "/.well-known/jwks.json");
}

TEST(HttpRouting, KnowsNoOtherNames) {
  const Options all = options();
  const auto own = [&](std::string_view host, std::string_view path) {
    const auto found = route(all, host, path);
    return found ? Own{99} : found.error().page;
  };
  EXPECT_EQ(own("evil.example", "/c/crm/"), Own::misdirected);
  EXPECT_EQ(own("gw.example.", "/c/crm/"), Own::misdirected);
  EXPECT_EQ(own("gw.example", "/c/crmx/"), Own::nothing);
  EXPECT_EQ(own("gw.example", "/c/CRM/"), Own::nothing);
  EXPECT_EQ(own("gw.example", "/c/"), Own::nothing);
  EXPECT_EQ(own("gw.example", "/"), Own::nothing);
  EXPECT_EQ(own("gw.example", "/.well-known/jwks.json"), Own::keys);
  EXPECT_EQ(own("gw.example", "/.well-known/oauth-protected-resource/c/crm"), Own::metadata);
  EXPECT_EQ(own("gw.example", "/.well-known/oauth-protected-resource/c/no"), Own::nothing);
  EXPECT_EQ(own("crm.gw.example", "/.well-known/oauth-protected-resource"), Own::metadata);
  EXPECT_EQ(metadata_url("https://gw.example:6443/c/crm"),
            "https://gw.example:6443/.well-known/oauth-protected-resource/c/crm");
}

TEST(HttpAnalysis, SaysWhatARequestWouldDo) {
  const auto check = [](std::string_view method, std::string_view action, bool read_only) {
    const Command command = command_of(
        std::string(method) + " /c/crm/customers/4%32?page=2 HTTP/1.1\r\nHost: gw.example\r\n\r\n");
    ASSERT_EQ(command.actions.size(), 1U);
    EXPECT_EQ(command.actions[0].name, action);
    EXPECT_EQ(command.actions[0].resource.type, "Endpoint");
    EXPECT_EQ(command.actions[0].resource.id, "crm/" + std::string(method) + " /customers/42");
    EXPECT_EQ(command.read_only, read_only);
    EXPECT_EQ(command.text, std::string(method) + " /customers/42?page=2");
  };
  check("GET", "http:read", true);
  check("HEAD", "http:read", true);
  check("OPTIONS", "http:read", true);
  check("POST", "http:write", false);
  check("PUT", "http:write", false);
  check("PATCH", "http:write", false);
  check("DELETE", "http:delete", false);
}

TEST(HttpAnalysis, ShowsEveryValueOfARepeatedParameter) {
  const Command command =
      command_of("GET /c/crm/x?a=1&b=%41+b&a=2&&c&%61=3 HTTP/1.1\r\nHost: GW.example\r\n\r\n");
  const auto& context = std::get<HttpContext>(command.context);
  EXPECT_EQ(context.host, "gw.example");
  EXPECT_EQ(context.parameters,
            (std::map<std::string, std::string>{{"a", "1,2,3"}, {"b", "A b"}, {"c", ""}}));
}

TEST(HttpAnalysis, TakesAnUnknownLengthForTheLargest) {
  const std::string head = "POST /c/crm/x HTTP/1.1\r\nHost: gw.example\r\n";
  EXPECT_EQ(
      std::get<HttpContext>(command_of(head + "Content-Length: 7\r\n\r\n").context).body_bytes, 7);
  EXPECT_EQ(std::get<HttpContext>(command_of(head + "Transfer-Encoding: chunked\r\n\r\n").context)
                .body_bytes,
            16 << 20);
}

TEST(HttpAnalysis, WritesTheHeadAnew) {
  const Command command = command_of(
      "POST /c/crm/%6eotes?x=%2F HTTP/1.1\r\nHOST: gw.example\r\nauthorization: Bearer t\r\n"
      "X-Acme-User: root\r\nx_forwarded_for: 1.2.3.4\r\nX-API-key: mine\r\nX-Good:  yes \r\n"
      "Content-length: 3\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(as_text(command.raw),
            "POST /notes?x=%2F HTTP/1.1\r\nHost: crm.internal:8443\r\nX-Good: yes\r\n"
            "X-Forwarded-For: 10.1.1.1\r\nX-Forwarded-Proto: http\r\n"
            "X-Forwarded-Host: gw.example\r\nX-Forwarded-Prefix: /c/crm\r\nContent-Length: 3\r\n");
}

TEST(HttpAnalysis, BindsAnApprovalToAllOfTheRequest) {
  const auto hash = [](std::string_view line, std::string_view body) {
    Command command = command_of(std::string(line) +
                                 " HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 2\r\n\r\n");
    if (!body.empty()) add_body(command, std::string(body));
    return std::get<HttpContext>(command.context).hash;
  };
  const std::vector<std::string> hashes{
      hash("POST /c/crm/a", "ab"),    hash("POST /c/crm/a", "ac"), hash("PUT /c/crm/a", "ab"),
      hash("POST /c/crm/b", "ab"),    hash("POST /c/crm/a?", ""),  hash("POST /c/crm/a?x=1", "ab"),
      hash("POST /c/crm/a?x=2", "ab")};
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    EXPECT_EQ(hashes[i].size(), 64U);
    for (std::size_t j = i + 1; j < hashes.size(); ++j) EXPECT_NE(hashes[i], hashes[j]) << i << j;
  }
  EXPECT_EQ(hashes[0], hash("POST /c/crm/a", "ab"));
}

TEST(HttpAnalysis, LeavesSecretsOutOfWhatPeopleSee) {
  EXPECT_EQ(request_line("GET", "/a b", "x=1&Token=abc&api%5fkey=d&token"),
            "GET /a%20b?x=1&Token=(not shown)&api%5fkey=(not shown)&token=(not shown)");
}

TEST(HttpFields, ReadsWhatTheClientPrefers) {
  const auto wait = [](std::string value) {
    http::Headers headers;
    headers.add("prefer", std::move(value));
    return preferred_wait_s(headers);
  };
  EXPECT_EQ(wait("wait=60"), 60U);
  EXPECT_EQ(wait("respond-async, WAIT=7"), 7U);
  EXPECT_EQ(wait("wait=-1"), 0U);
  EXPECT_EQ(wait("wait=99999999999"), 0U);
  EXPECT_EQ(wait("await=5"), 0U);
  EXPECT_EQ(wait("wait"), 0U);
}

TEST(HttpFields, MakesPathsOfTheTargetOurs) {
  const Route by_path = routed("gw.example", "/c/crm/x");
  const auto location = [&](std::string value, const Route& route) {
    http::ResponseHead head;
    head.headers.add("location", std::move(value));
    return response_fields(head, route).all.at(0).value;
  };
  EXPECT_EQ(location("/a?b", by_path), "/c/crm/a?b");
  EXPECT_EQ(location("https://crm.internal:8443/a", by_path), "/c/crm/a");
  EXPECT_EQ(location("https://crm.internal:8443", by_path), "/c/crm/");
  EXPECT_EQ(location("https://crm.internal:84431/a", by_path), "https://crm.internal:84431/a");
  EXPECT_EQ(location("//other/a", by_path), "//other/a");
  EXPECT_EQ(location("relative", by_path), "relative");
  EXPECT_EQ(location("/a", routed("crm.gw.example", "/x")), "/a");
}

}  // namespace
}  // namespace sallyport::web
