// The server as it runs: TCP and TLS on loopback, with curl and with raw bytes.

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "admin/health.h"
#include "admin/server.h"
#include "base/metrics.h"
#include "net/certificate.h"
#include "net/connect.h"
#include "net/reactor.h"
#include "net/worker.h"

namespace sallyport::admin {
namespace {

using namespace std::chrono_literals;

SteadyTime in(std::chrono::nanoseconds duration) {
  return std::chrono::steady_clock::now() + duration;
}

/// What a shell command prints, with stderr.
std::string shell(const std::string& command) {
  std::string output;
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return "cannot run " + command;
  std::array<char, 4096> buffer;
  while (const auto size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), size);
  }
  ::pclose(pipe);
  return output;
}

/// The admin server on one worker thread, on a free port of 127.0.0.1.
class LoopbackServer {
 public:
  explicit LoopbackServer(ServerOptions options = {}) : server_(router_, std::move(options)) {
    health_.add_check("ledger", [] { return ok(); });
    health_.add_routes(router_);
    router_.add("POST", "/size", at_once([](const http::Request& request) {
                  return http::Response::text(200, std::to_string(request.body.size()));
                }));
    router_.add("GET", "/big", at_once([](const http::Request&) {
                  return http::Response::text(200, std::string(8 << 20, 'x'));
                }));
    router_.add("GET", "/slow", [](const http::Request&) { return slow(); });
    workers_ = net::Workers::start(1, [this](std::size_t) -> Result<void> {
                 auto listener = net::Listener::bind({"127.0.0.1", 0});
                 if (!listener) return fail(listener);
                 port_ = (*listener)->port();
                 net::Reactor::current().spawn("admin", server_.serve(std::move(*listener)));
                 return ok();
               }).value();
  }
  ~LoopbackServer() { workers_->stop(); }

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::uint16_t port() const { return port_; }

  bool shutdown(std::chrono::nanoseconds grace) {
    std::promise<bool> done;
    workers_->post(0,
                   [&] { net::Reactor::current().spawn("shutdown", shut(server_, grace, done)); });
    return done.get_future().get();
  }

 private:
  static net::Task<http::Response> slow() {
    co_await net::Reactor::current().sleep_for(700ms);
    co_return http::Response::text(200, "slow");
  }
  static net::Task<void> shut(Server& server, std::chrono::nanoseconds grace,
                              std::promise<bool>& done) {
    const bool gone = co_await server.shutdown(grace);
    done.set_value(gone);
  }

  Router router_;
  Health health_{"1.2.3", "abcdef"};
  Server server_;
  std::unique_ptr<net::Workers> workers_;
  std::uint16_t port_ = 0;
};

net::Task<std::string> send_raw(std::uint16_t port, std::string bytes) {
  auto stream = co_await net::connect("127.0.0.1", port, in(5s));
  if (!stream) co_return "cannot connect";
  auto written = co_await (*stream)->write(as_bytes(bytes));
  static_cast<void>(written);  // what the server says counts
  (*stream)->set_read_deadline(in(5s));
  std::string answer;
  while (true) {
    auto chunk = co_await (*stream)->read();
    if (!chunk) co_return answer + "<" + std::string(to_string(chunk.error().code)) + ">";
    answer += as_text(chunk->bytes());
  }
}

std::string raw(const LoopbackServer& server, std::string bytes) {
  return net::Reactor::make().value()->run_to_end(send_raw(server.port(), std::move(bytes)));
}

TEST(AdminLoopback, CurlReadsHealthReadinessAndMetrics) {
  const LoopbackServer server;
  const auto url = "http://" + server.address();
  EXPECT_EQ(shell("curl -s " + url + "/healthz"), "{\"status\":\"alive\",\"version\":\"1.2.3\"}\n");
  EXPECT_EQ(shell("curl -s -o /dev/null -w '%{http_code} %{num_connects}\\n' " + url + "/readyz"),
            "200 1\n");
  const auto metrics = shell("curl -s " + url + "/metrics " + url + "/metrics");
  for (const auto* series :
       {"sallyport_build_info{commit=\"abcdef\",version=\"1.2.3\"} 1", "process_open_fds ",
        "process_resident_memory_bytes ", "process_cpu_seconds_total ", "sallyport_uptime_seconds ",
        "sallyport_admin_requests_total{method=\"GET\",route=\"/metrics\",status=\"200\"}"}) {
    EXPECT_NE(metrics.find(series), std::string::npos) << series;
  }
}

TEST(AdminLoopback, CurlReusesOneConnectionAndSendsEveryKindOfBody) {
  const LoopbackServer server;
  const auto url = "http://" + server.address();
  EXPECT_EQ(shell("curl -s -w ' %{num_connects};' " + url +
                  "/healthz -o /dev/null --next -s -w "
                  "' %{num_connects};' " +
                  url + "/readyz -o /dev/null"),
            " 1; 0;");
  EXPECT_EQ(shell("head -c 1000000 /dev/zero | curl -s --data-binary @- " + url + "/size"),
            "1000000");
  EXPECT_EQ(shell("head -c 100000 /dev/zero | curl -s -X POST -T - " + url + "/size"), "100000");
  EXPECT_EQ(
      shell("head -c 1000000 /dev/zero | curl -s -H 'Expect: 100-continue' --data-binary @- " +
            url + "/size"),
      "1000000");
  EXPECT_EQ(shell("head -c 2000000 /dev/zero | curl -s -o /dev/null -w '%{http_code}' "
                  "--data-binary @- " +
                  url + "/size"),
            "413");
  EXPECT_EQ(shell("curl -s " + url + "/big | wc -c"), "8388608\n");
  EXPECT_EQ(shell("curl -sI " + url + "/big | grep -ci 'content-length: 8388608'"), "1\n");
  EXPECT_EQ(shell("curl -s --path-as-is -o /dev/null -w '%{http_code}' " + url + "/../etc/passwd"),
            "400");
}

TEST(AdminLoopback, CurlOverTls) {
  const auto now = system_clock().now();
  const auto ca = net::make_ca("Test CA", now, 24h).value();
  const auto leaf = net::make_certificate(ca, {.common_name = "gw.test",
                                               .names = {"gw.test"},
                                               .ips = {"127.0.0.1"},
                                               .not_before = now - 1h,
                                               .not_after = now + 24h})
                        .value();
  const auto tls =
      net::TlsServerContext::make(
          {.certificate_pem = leaf.certificate_pem, .key_pem = leaf.key_pem, .alpn = {"http/1.1"}})
          .value();
  const LoopbackServer server({.tls = tls, .linger_max = 50ms});
  const auto directory =
      std::filesystem::temp_directory_path() / ("sallyport_admin_" + std::to_string(server.port()));
  std::filesystem::create_directory(directory);
  const auto ca_file = (directory / "ca.pem").string();
  std::ofstream(ca_file) << ca.certificate_pem;
  const auto curl = "curl -s --cacert " + ca_file + " ";
  const auto url = "https://" + server.address();
  EXPECT_EQ(shell(curl + url + "/healthz"), "{\"status\":\"alive\",\"version\":\"1.2.3\"}\n");
  EXPECT_EQ(shell(curl + "-o /dev/null -w '%{http_code} %{http_version}' " + url + "/readyz"),
            "200 1.1");
  EXPECT_EQ(shell(curl + url + "/big | wc -c"), "8388608\n");
  EXPECT_EQ(shell("head -c 1000000 /dev/zero | " + curl + "--data-binary @- " + url + "/size"),
            "1000000");
  EXPECT_EQ(shell(curl + "--tls-max 1.1 -o /dev/null " + url + "/healthz || echo refused"),
            "refused\n");
  // Plain HTTP on the TLS port gets nothing that looks like an answer.
  EXPECT_EQ(raw(server, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").find("alive"),
            std::string::npos);
  std::filesystem::remove_all(directory);
}

TEST(AdminLoopback, MalformedBytesGetOneRefusalAndTheEnd) {
  const LoopbackServer server({.linger_max = 50ms});
  const std::string smuggled = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const auto& [bytes, status] : std::vector<std::pair<std::string, std::string>>{
           {"\x16\x03\x01\x02hello", "400"},
           {"GET /healthz HTTP/1.1\nHost: a\n\n", "400"},
           {"GET /healthz HTTP/1.1\r\n\r\n", "400"},
           {"GET /healthz HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
           {"GET /%2e%2e/healthz HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
           {"POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
            "400"},
           {"POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", "501"},
           {"POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n",
            "400"},
           {"GET /healthz HTTP/1.0\r\n\r\n", "505"},
           {std::string(100'000, 'A'), "414"},
           {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"}}) {
    const auto answer = raw(server, bytes + smuggled);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status + " ")) << answer;
    EXPECT_EQ(answer.find("alive"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("<closed>")) << answer;
  }
}

/// Opens connections that send a part of a request and then nothing.
net::Task<void> open_slow(std::uint16_t port, std::size_t count,
                          std::vector<std::unique_ptr<net::Stream>>& into) {
  for (std::size_t i = 0; i < count; ++i) {
    auto stream = co_await net::connect("127.0.0.1", port, in(5s));
    if (!stream) continue;
    auto written = co_await (*stream)->write(as_bytes("GET / HTTP/1.1\r\nX-Slow: "));
    if (written) into.push_back(std::move(*stream));
  }
}

TEST(AdminLoopback, SlowClientsAreBoundedAndKeepNobodyOut) {
  const LoopbackServer server({.header_max = 3s, .linger_max = 50ms, .connections_max = 50});
  const auto reactor = net::Reactor::make().value();
  std::vector<std::unique_ptr<net::Stream>> slow;
  reactor->run_to_end(open_slow(server.port(), 200, slow));
  EXPECT_EQ(
      shell("curl -s -o /dev/null -m 2 -w '%{http_code}' http://" + server.address() + "/healthz"),
      "200");
  const auto& open = metrics::gauge("sallyport_admin_connections", "");
  EXPECT_LE(open.value(), 51);
  // At the deadline the slow ones are told so and let go.
  const auto began = std::chrono::steady_clock::now();
  while (open.value() > 0 && std::chrono::steady_clock::now() - began < 8s) {
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(open.value(), 0);
}

TEST(AdminLoopback, AClientThatIsBeingAnsweredIsNotPushedOut) {
  const LoopbackServer server({.connections_max = 1});
  auto slow = std::async(std::launch::async, [&server] {
    return shell("curl -s http://" + server.address() + "/slow");
  });
  const auto& open = metrics::gauge("sallyport_admin_connections", "");
  while (open.value() < 1) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(shell("curl -s -o /dev/null -w '%{http_code}' http://" + server.address() + "/healthz"),
            "000");
  EXPECT_EQ(slow.get(), "slow");
  EXPECT_EQ(shell("curl -s -o /dev/null -w '%{http_code}' http://" + server.address() + "/healthz"),
            "200");
}

TEST(AdminLoopback, ShutdownFreesThePortAndTheClients) {
  LoopbackServer server;
  EXPECT_EQ(shell("curl -s -o /dev/null -w '%{http_code}' http://" + server.address() + "/healthz"),
            "200");
  EXPECT_TRUE(server.shutdown(1s));
  EXPECT_EQ(shell("curl -s -o /dev/null -w '%{http_code}' http://" + server.address() + "/healthz"),
            "000");
}

}  // namespace
}  // namespace sallyport::admin
