#include "protocol/http/upstream.h"

#include "http/encoder.h"
#include "net/connect.h"
#include "net/reactor.h"
#include "net/tls.h"

namespace sallyport::web {

Upstream::Upstream(std::shared_ptr<const Target> target, std::unique_ptr<net::Stream> stream)
    : target_(std::move(target)),
      stream_(std::move(stream)),
      opened_at_(net::Reactor::current().now()) {}

Task<Result<std::unique_ptr<Upstream>>> Upstream::open(const Permit& session,
                                                       std::shared_ptr<const Target> target,
                                                       SteadyTime deadline) {
  auto stream = co_await net::connect(target->host, target->port, deadline);
  if (!stream) co_return fail(stream);
  if (target->tls == nullptr) co_return over(session, std::move(target), std::move(*stream));
  auto secured = co_await net::tls_connect(std::move(*stream), target->tls, target->host, deadline);
  if (!secured) co_return fail(secured);
  co_return over(session, std::move(target), std::move(*secured));
}

std::unique_ptr<Upstream> Upstream::over(const Permit& /*session*/,
                                         std::shared_ptr<const Target> target,
                                         std::unique_ptr<net::Stream> stream) {
  return std::unique_ptr<Upstream>(new Upstream(std::move(target), std::move(stream)));
}

Task<Result<void>> Upstream::send_head(const Permit& command, std::string_view own) {
  nothing_received_ = true;
  out_.assign(as_text(command.command().raw));
  for (const auto& [name, value] : target_->credential.all) {
    out_ += name;
    out_ += ": ";
    out_ += value;
    out_ += "\r\n";
  }
  out_ += own;
  out_ += "\r\n";
  auto written = co_await write(out_);
  out_.clear();
  co_return written;
}

Task<Result<void>> Upstream::send_body(const Permit& /*command*/, Bytes piece, bool chunked) {
  if (!chunked) co_return co_await write(as_text(piece));
  out_.clear();
  http::append_chunk(out_, as_text(piece));
  co_return co_await write(out_);
}

Task<Result<void>> Upstream::end_body(const Permit& /*command*/, bool chunked) {
  if (!chunked) co_return ok();
  co_return co_await write(http::last_chunk);
}

Task<Result<void>> Upstream::write(std::string_view bytes) {
  stream_->set_write_deadline(net::Reactor::current().now() + target_->response_s_max);
  co_return co_await stream_->write(as_bytes(bytes));
}

Task<Result<http::ResponseHead>> Upstream::head(bool to_head, bool websocket) {
  http::ResponseHeadDecoder decoder(to_head);
  if (websocket) decoder.expect_websocket();
  while (true) {
    auto taken = decoder.take(input_);
    if (!taken) co_return fail(Errc::malformed, "HTTP response: " + taken.error().reason);
    if (*taken) co_return std::move(**taken);
    auto received = co_await receive();
    if (!received) co_return fail(received);
  }
}

Task<Result<Bytes>> Upstream::next(http::BodyReader& body) {
  while (!body.done()) {
    auto piece = body.take(input_);
    if (!piece) {
      const bool large = piece.error().status == 413;
      co_return fail(large ? Errc::too_large : Errc::malformed,
                     "HTTP response: " + piece.error().reason);
    }
    if (!piece->empty()) co_return *piece;
    if (body.done()) break;
    auto received = co_await receive();
    if (received) continue;
    if (received.error().code == Errc::closed && body.ends_at_close()) break;
    co_return fail(received);
  }
  co_return Bytes{};
}

Task<Result<Bytes>> Upstream::next_raw(SteadyTime deadline) {
  if (input_.empty()) {
    auto received = co_await receive(deadline);
    if (!received) co_return fail(received);
  }
  co_return std::exchange(input_, {});
}

Task<Result<void>> Upstream::receive() {
  return receive(net::Reactor::current().now() + target_->response_s_max);
}

Task<Result<void>> Upstream::receive(SteadyTime deadline) {
  chunk_ = net::Chunk();
  input_ = {};
  stream_->set_read_deadline(deadline);
  auto chunk = co_await stream_->read();
  if (!chunk) co_return fail(chunk);
  nothing_received_ = false;
  chunk_ = std::move(*chunk);
  input_ = chunk_.bytes();
  co_return ok();
}

}  // namespace sallyport::web
