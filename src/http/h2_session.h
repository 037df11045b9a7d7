#pragma once
// H2Session: a server's side of an HTTP/2 connection (RFC 9113) without I/O: frames from bytes and
// bytes from frames, by nghttp2. It bounds what a peer can make this side keep or do; what a head
// means is h2_fields.h's.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/head.h"
#include "http/message.h"

struct nghttp2_session;

namespace sallyport::http {

struct H2Limits {
  std::uint32_t streams_max = 100;                      // of the peer's, at once
  std::uint32_t stream_window_bytes = 64 * 1024;        // received and not consumed(), a stream
  std::uint32_t connection_window_bytes = 1024 * 1024;  // and all of them together
  std::size_t chores_max = 1000;  // frames without content that come faster than they are earned
  std::size_t chores_per_s = 50;
  std::size_t answers_max = 5000;  // frames that wait to be sent
  HeadLimits head;
};

/// RFC 9113 section 7
enum class H2Error : std::uint32_t {
  none = 0,
  protocol = 1,
  internal = 2,
  refused_stream = 7,
  cancel = 8,
  enhance_your_calm = 11,
};

/// Called from inside receive() and produce(): what is called may call the session again for
/// anything but those two.
class H2Events {
 public:
  virtual ~H2Events() = default;
  /// `too_large`: the fields are not all there.
  virtual void on_head(std::int32_t stream, std::vector<Header> fields, bool too_large,
                       bool ended) = 0;
  /// Behind the body: the end of the stream follows.
  virtual void on_trailers(std::int32_t stream) = 0;
  virtual void on_data(std::int32_t stream, Bytes piece) = 0;
  /// The peer sends nothing more on it.
  virtual void on_end(std::int32_t stream) = 0;
  /// Nothing goes either way any more.
  virtual void on_closed(std::int32_t stream, std::uint32_t error) = 0;
};

class H2Session {
 public:
  /// `events` must outlive it.
  H2Session(const H2Limits& limits, H2Events& events);
  H2Session(const H2Session&) = delete;
  ~H2Session();

  /// malformed: the peer broke the rules of the connection, which ends with what is still to be
  /// produce()d. too_large: it sends more without content than anyone needs.
  Result<void> receive(Bytes bytes, SteadyTime now);
  /// Appends what is to be sent, about `bytes_max` at most. True if there is more.
  bool produce(std::string& out, std::size_t bytes_max);
  /// Nothing will be sent or received any more.
  bool over() const;

  /// A head, final unless its status is 1xx; `ends`: no body follows.
  void answer(std::int32_t stream, const std::vector<Header>& fields, bool ends);
  /// More of the body, kept until it may be sent: see waiting().
  void give(std::int32_t stream, std::string_view piece);
  void finish(std::int32_t stream);
  /// Bytes of its body that were not sent yet, and whether its end was.
  std::size_t waiting(std::int32_t stream) const;
  bool finished(std::int32_t stream) const;
  /// Bytes of on_data() that are kept no longer: the peer may send as many again.
  void consumed(std::int32_t stream, std::size_t bytes);
  void reset(std::int32_t stream, H2Error error);
  /// No further streams of the peer's: those it has are finished.
  void go_away(H2Error error = H2Error::none);

 private:
  struct Stream;
  struct Callbacks;

  Stream* find(std::int32_t stream) const;
  void take_head(std::int32_t id, bool ended);
  void take_end(std::int32_t id);
  void chore(std::size_t cost = 1);
  void earn(std::size_t chores);

  const H2Limits limits_;
  H2Events& events_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, std::unique_ptr<Stream>> streams_;
  std::size_t chores_ = 0;
  SteadyTime forgiven_at_{};
  bool flooded_ = false;
};

}  // namespace sallyport::http
