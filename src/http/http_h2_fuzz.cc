// Fuzz: a server's session fed with anything, torn anywhere, answers what it understands, keeps no
// more than its windows, and what it takes for a request says itself in HTTP/1.1 as one request.

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "base/check.h"
#include "http/h2_fields.h"
#include "http/h2_session.h"
#include "http/text.h"

namespace sallyport::http {
namespace {

void check_says_itself(const RequestHead& head) {
  Request request = head.request;
  std::erase_if(request.headers.all, [](const Header& header) {
    return equal_ignoring_case(header.name, "Content-Length") ||
           equal_ignoring_case(header.name, "Trailer");
  });
  const auto bytes = encode_head(request, {});
  SALLYPORT_CHECK(bytes.has_value());
  RequestHeadDecoder decoder;
  Bytes input = as_bytes(*bytes);
  const auto again = decoder.take(input);
  if (!again && again.error().status != 400) return;  // longer in these words
  SALLYPORT_CHECK(again && *again && input.empty());
  SALLYPORT_CHECK((*again)->request.method == head.request.method);
  SALLYPORT_CHECK((*again)->request.path == head.request.path);
  SALLYPORT_CHECK((*again)->request.query == head.request.query);
}

class Server final : public H2Events {
 public:
  explicit Server(const H2Limits& limits)
      : limits_(limits), session_(limits, *this) {}

  void feed(Bytes piece) {
    now_ += std::chrono::milliseconds(1);
    const bool good = session_.receive(piece, now_).has_value();
    std::string out;
    while (session_.produce(out, 65536)) out.clear();
    SALLYPORT_CHECK(kept_ <= limits_.connection_window_bytes);
    over_ = !good || session_.over();
  }
  bool over() const { return over_; }

 private:
  void on_head(std::int32_t id, std::vector<Header> fields, bool too_large, bool ended) override {
    std::size_t bytes = 0;
    for (const Header& field : fields) bytes += field.name.size() + field.value.size();
    SALLYPORT_CHECK(bytes <= 64 * 1024);
    SALLYPORT_CHECK(received_.size() <= limits_.streams_max);
    received_[id] = 0;
    const auto head = read_request_fields(std::move(fields), ended, {});
    if (head && !too_large) check_says_itself(*head);
    Response response{.status = head ? 200 : head.error().status};
    response.headers.add("X-Method", head ? head->request.method : "none");
    const auto answer = fields_of(response, {BodyForm::Kind::chunked, 0});
    SALLYPORT_CHECK(answer.has_value());
    session_.answer(id, *answer, false);
    session_.give(id, std::string(100, 'x'));
  }
  void on_trailers(std::int32_t id) override { session_.reset(id, H2Error::protocol); }
  void on_data(std::int32_t id, Bytes piece) override {
    received_[id] += piece.size();
    kept_ += piece.size();
    SALLYPORT_CHECK(received_[id] <= limits_.stream_window_bytes);
    if (id % 4 == 1) return;  // kept
    session_.consumed(id, received_[id]);
    kept_ -= received_[id];
    received_[id] = 0;
  }
  void on_end(std::int32_t id) override { session_.finish(id); }
  void on_closed(std::int32_t id, std::uint32_t /*error*/) override {
    session_.consumed(id, received_[id]);
    kept_ -= received_[id];
    received_.erase(id);
  }

  H2Limits limits_;
  std::map<std::int32_t, std::size_t> received_;
  std::size_t kept_ = 0;
  SteadyTime now_{std::chrono::seconds(1)};
  bool over_ = false;
  H2Session session_;
};

}  // namespace
}  // namespace sallyport::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  if (size == 0) return 0;
  http::Server server({.streams_max = 8, .connection_window_bytes = 128 * 1024});
  const std::size_t piece = 1 + data[0] % 64;
  // Most inputs would be stuck at the preface.
  if (data[0] < 192) server.feed(as_bytes(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")));
  Bytes rest = std::as_bytes(std::span(data, size)).subspan(1);
  while (!rest.empty() && !server.over()) {
    server.feed(rest.first(std::min(piece, rest.size())));
    rest = rest.subspan(std::min(piece, rest.size()));
  }
  return 0;
}
