#include "cli/client_loopback.h"

#include "base/bytes.h"
#include "base/crypto.h"
#include "http/encoder.h"
#include "http/message.h"
#include "http/request_decoder.h"

namespace sallyport::cli {
namespace {

constexpr std::chrono::seconds kRequestMax{5};

constexpr std::string_view kDone =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sallyport</title></head>"
    "<body><main><h1>Back to the terminal</h1><p>You can close this page.</p></main></body></html>";

}  // namespace

Loopback::Loopback(std::unique_ptr<net::Reactor> reactor, std::unique_ptr<net::Listener> listener)
    : reactor_(std::move(reactor)), listener_(std::move(listener)) {}

Result<std::unique_ptr<Loopback>> Loopback::open() {
  auto reactor = net::Reactor::make();
  if (!reactor) return fail(reactor);
  auto listener = net::Listener::bind({.ip = "127.0.0.1", .port = 0});
  if (!listener) return fail(listener);
  return std::unique_ptr<Loopback>(new Loopback(std::move(*reactor), std::move(*listener)));
}

std::string Loopback::redirect_uri() const {
  return "http://127.0.0.1:" + std::to_string(listener_->port()) + "/callback";
}

Result<Loopback::Answer> Loopback::wait(const std::string& state, std::chrono::seconds limit) {
  reactor_->spawn("login limit", close_after(limit));
  auto answer = reactor_->run_to_end(accept_answer(state));
  if (!answer && answer.error().code == Errc::closed) {
    return fail(Errc::timeout, "nobody logged in within " + std::to_string(limit.count()) +
                                   " seconds; run `sallyport login` again");
  }
  return answer;
}

net::Task<void> Loopback::close_after(std::chrono::seconds limit) {
  co_await reactor_->sleep_for(limit);
  listener_->close();
}

net::Task<Result<Loopback::Answer>> Loopback::accept_answer(std::string state) {
  while (true) {
    auto stream = co_await listener_->accept();
    if (!stream) co_return fail(stream);
    auto answer = co_await read_answer(**stream, state);
    (*stream)->close();
    // Others on this machine can reach the port too: only the right state ends the wait.
    if (answer) co_return answer;
  }
}

net::Task<Result<Loopback::Answer>> Loopback::read_answer(net::Stream& stream,
                                                          const std::string& state) {
  stream.set_read_deadline(reactor_->now() + kRequestMax);
  stream.set_write_deadline(reactor_->now() + kRequestMax);
  http::RequestDecoder decoder({.body_bytes_max = 0});
  std::optional<http::Request> request;
  while (!request) {
    auto chunk = co_await stream.read();
    if (!chunk) co_return fail(chunk);
    Bytes input = chunk->bytes();
    auto taken = decoder.take(input);
    if (!taken) co_return fail(Errc::malformed, "not a request");
    request = std::move(*taken);
  }
  auto form = request->path == "/callback" ? http::parse_form(request->query) : std::nullopt;
  const bool ours = form && form->contains("state") &&
                    equal_in_constant_time(as_bytes((*form)["state"]), as_bytes(state));
  auto response = ours ? http::Response::html(200, std::string(kDone))
                       : http::Response::text(404, "not found\n");
  response.headers.add("Cache-Control", "no-store");
  const auto bytes = http::encode(response, {.close = true});
  if (bytes) {
    auto written = co_await stream.write(as_bytes(*bytes));
    if (!written) co_return fail(written);
  }
  if (!ours) co_return fail(Errc::denied, "not the answer to this login");
  co_return std::move(*form);
}

}  // namespace sallyport::cli
