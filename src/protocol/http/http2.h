#pragma once
// Http2: a client's connection that speaks HTTP/2: every stream is a request, decided by itself.
// One task reads, one writes, and one serves each stream. Inside of this room only.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http/h2_session.h"
#include "net/group.h"
#include "protocol/http/conversation.h"

namespace sallyport::web {

class Http2 final : public Conversation, private http::H2Events {
 public:
  Http2(Adapter& adapter, net::Stream& client, bool tls);
  ~Http2() override;

  Task<void> run() override;
  void drain() override;
  void end(std::string_view why) override;

 private:
  class Stream;

  Task<void> read_all();
  Task<void> write_all();
  Task<void> serve_stream(std::shared_ptr<Stream> stream);
  void start_streams();
  void tell_writer() { to_write_.notify(); }

  void on_head(std::int32_t id, std::vector<http::Header> fields, bool too_large,
               bool ended) override;
  void on_trailers(std::int32_t id) override;
  void on_data(std::int32_t id, Bytes piece) override;
  void on_end(std::int32_t id) override;
  void on_closed(std::int32_t id, std::uint32_t error) override;
  Stream* find(std::int32_t id) const;

  http::H2Session session_;
  std::map<std::int32_t, std::shared_ptr<Stream>> streams_;  // that the client knows
  std::vector<std::shared_ptr<Stream>> new_;                 // not served yet
  net::Signal to_write_;
  net::Signal served_;       // a stream was
  std::size_t serving_ = 0;  // streams
  bool read_over_ = false;
  std::string out_;
  net::Group group_;  // the streams' tasks: before all that they use goes
};

}  // namespace sallyport::web
