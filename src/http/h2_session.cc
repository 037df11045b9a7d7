#include "http/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace sallyport::http {

struct H2Session::Stream {
  std::vector<Header> fields;  // of the head that is coming
  std::size_t header_bytes = 0;
  bool too_large = false;
  bool has_head = false;  // what follows are trailers
  std::string body;       // of ours, not sent yet, from `sent` on
  std::size_t sent = 0;
  bool finished = false;  // nothing follows `body`
  bool all_sent = false;  // its end, too
  bool deferred = false;  // the frames wait for more of `body`
};

/// What nghttp2 calls. No exception passes through it: memory is what could run out, and that ends
/// the process.
struct H2Session::Callbacks {
  static H2Session& of(void* self) { return *static_cast<H2Session*>(self); }

  static int begin_headers(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                           void* self) noexcept {
    auto& stream = of(self).streams_[frame->hd.stream_id];
    if (!stream) stream = std::make_unique<Stream>();
    stream->fields.clear();
    stream->header_bytes = 0;
    stream->too_large = false;
    return 0;
  }

  static int header(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                    const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                    std::size_t value_size, std::uint8_t /*flags*/, void* self) noexcept {
    Stream* const stream = of(self).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const HeadLimits& limits = of(self).limits_.head;
    // The path is bounded apart from the others, as a request line is.
    stream->header_bytes += name_size + value_size + 4;
    if (stream->header_bytes > limits.header_bytes_max + limits.first_line_bytes_max + 1024 ||
        stream->fields.size() > limits.headers_max + 4) {
      stream->too_large = true;
    }
    if (stream->too_large) return 0;
    stream->fields.push_back({std::string(reinterpret_cast<const char*>(name), name_size),
                              std::string(reinterpret_cast<const char*>(value), value_size)});
    return 0;
  }

  /// nghttp2 would leave such a field out. What is not understood is not passed over here.
  static int invalid_header(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/,
                            const std::uint8_t* /*name*/, std::size_t /*name_size*/,
                            const std::uint8_t* /*value*/, std::size_t /*value_size*/,
                            std::uint8_t /*flags*/, void* /*self*/) noexcept {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int data(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t id,
                  const std::uint8_t* bytes, std::size_t size, void* self) noexcept {
    H2Session& session = of(self);
    if (session.find(id) == nullptr) {
      session.consumed(id, size);
    } else {
      session.events_.on_data(id, std::as_bytes(std::span(bytes, size)));
    }
    return 0;
  }

  static int frame_received(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                            void* self) noexcept {
    H2Session& session = of(self);
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        session.take_head(frame->hd.stream_id, ended);
        break;
      case NGHTTP2_DATA:
        if (frame->hd.length == 0) session.chore();
        if (ended) session.take_end(frame->hd.stream_id);
        break;
      case NGHTTP2_SETTINGS:
        // Each makes an answer, and may move every window.
        session.chore(4);
        break;
      default:
        session.chore();
    }
    return session.flooded_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }

  /// nghttp2 answers these by itself, and keeps the answers until somebody reads them.
  static int invalid_frame_received(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/,
                                    int /*error*/, void* self) noexcept {
    H2Session& session = of(self);
    session.chore();
    return session.flooded_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
  }

  static int frame_sent(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                        void* self) noexcept {
    H2Session& of_frame = of(self);
    if (frame->hd.type == NGHTTP2_DATA) of_frame.earn(2);
    const bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (!carries || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    Stream* const stream = of_frame.find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    stream->all_sent = true;
    return 0;
  }

  static int closed(nghttp2_session* /*session*/, std::int32_t id, std::uint32_t error,
                    void* self) noexcept {
    H2Session& session = of(self);
    if (session.streams_.erase(id) == 0) return 0;
    session.events_.on_closed(id, error);
    return 0;
  }

  static ssize_t read_body(nghttp2_session* /*session*/, std::int32_t id, std::uint8_t* into,
                           std::size_t size, std::uint32_t* flags, nghttp2_data_source* /*source*/,
                           void* self) noexcept {
    Stream* const stream = of(self).find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const auto rest = std::string_view(stream->body).substr(stream->sent);
    const std::size_t taken = std::min(size, rest.size());
    if (taken == 0 && !stream->finished) {
      stream->deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    std::ranges::copy(rest.substr(0, taken), into);
    stream->sent += taken;
    if (stream->sent == stream->body.size()) {
      stream->body.clear();
      stream->sent = 0;
      if (stream->finished) *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(taken);
  }
};

namespace {

std::vector<nghttp2_nv> pairs_of(const std::vector<Header>& fields) {
  std::vector<nghttp2_nv> pairs;
  pairs.reserve(fields.size());
  for (const Header& field : fields) {
    // The library's type lacks a const; it copies both.
    pairs.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(field.name.data())),
                     reinterpret_cast<std::uint8_t*>(const_cast<char*>(field.value.data())),
                     field.name.size(), field.value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  return pairs;
}

}  // namespace

H2Session::H2Session(const H2Limits& limits, H2Events& events) : limits_(limits), events_(events) {
  nghttp2_session_callbacks* callbacks = nullptr;
  SALLYPORT_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, Callbacks::invalid_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::frame_received);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks,
                                                               Callbacks::invalid_frame_received);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::frame_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::closed);
  nghttp2_option* option = nullptr;
  SALLYPORT_CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_continuations(option, 8);
  nghttp2_option_set_stream_reset_rate_limit(option, 200, 20);
  nghttp2_option_set_max_reserved_remote_streams(option, 0);
  const int made = nghttp2_session_server_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  SALLYPORT_CHECK(made == 0);

  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams_max},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window_bytes},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
        static_cast<std::uint32_t>(limits.head.header_bytes_max)}}};
  SALLYPORT_CHECK(
      nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  (void)nghttp2_session_set_local_window_size(
      session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(limits.connection_window_bytes));
}

H2Session::~H2Session() {
  nghttp2_session_del(session_);
}

H2Session::Stream* H2Session::find(std::int32_t stream) const {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : found->second.get();
}

void H2Session::chore(std::size_t cost) {
  chores_ += cost;
  flooded_ |= chores_ > limits_.chores_max;
}

void H2Session::earn(std::size_t chores) {
  chores_ -= std::min(chores_, chores);
}

void H2Session::take_head(std::int32_t id, bool ended) {
  Stream* const stream = find(id);
  if (stream == nullptr) return;
  const bool trailers = stream->has_head;
  stream->has_head = true;
  earn(4);
  if (trailers) {
    events_.on_trailers(id);
  } else {
    events_.on_head(id, std::exchange(stream->fields, {}), stream->too_large, ended);
  }
  if (ended) take_end(id);
}

void H2Session::take_end(std::int32_t id) {
  if (find(id) != nullptr) events_.on_end(id);
}

Result<void> H2Session::receive(Bytes bytes, SteadyTime now) {
  if (forgiven_at_ == SteadyTime{}) forgiven_at_ = now;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - forgiven_at_);
  if (seconds.count() > 0) {
    earn(static_cast<std::size_t>(seconds.count()) * limits_.chores_per_s);
    forgiven_at_ = now;
  }
  const ssize_t taken = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  flooded_ |= nghttp2_session_get_outbound_queue_size(session_) > limits_.answers_max;
  if (taken == static_cast<ssize_t>(bytes.size()) && !flooded_) return ok();
  if (flooded_ || taken == NGHTTP2_ERR_FLOODED) {
    go_away(H2Error::enhance_your_calm);
    return fail(Errc::too_large, "HTTP/2: too many frames without content");
  }
  go_away(H2Error::protocol);
  return fail(Errc::malformed, std::string("HTTP/2: ") + nghttp2_strerror(static_cast<int>(taken)));
}

bool H2Session::produce(std::string& out, std::size_t bytes_max) {
  while (out.size() < bytes_max) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) return false;
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  }
  return true;
}

bool H2Session::over() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void H2Session::answer(std::int32_t id, const std::vector<Header>& fields, bool ends) {
  Stream* const stream = find(id);
  if (stream == nullptr) return;
  const auto pairs = pairs_of(fields);
  if (fields.front().value.starts_with('1')) {
    (void)nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, pairs.data(),
                                 pairs.size(), nullptr);
    return;
  }
  nghttp2_data_provider provider{.source = {}, .read_callback = Callbacks::read_body};
  stream->finished = ends;
  const int submitted =
      nghttp2_submit_response(session_, id, pairs.data(), pairs.size(), ends ? nullptr : &provider);
  if (submitted != 0) reset(id, H2Error::internal);
}

void H2Session::give(std::int32_t id, std::string_view piece) {
  Stream* const stream = find(id);
  if (stream == nullptr) return;
  if (stream->sent > 0) {
    stream->body.erase(0, stream->sent);
    stream->sent = 0;
  }
  stream->body += piece;
  if (std::exchange(stream->deferred, false)) (void)nghttp2_session_resume_data(session_, id);
}

void H2Session::finish(std::int32_t id) {
  Stream* const stream = find(id);
  if (stream == nullptr || stream->finished) return;
  stream->finished = true;
  if (std::exchange(stream->deferred, false)) (void)nghttp2_session_resume_data(session_, id);
}

std::size_t H2Session::waiting(std::int32_t id) const {
  const Stream* const stream = find(id);
  return stream == nullptr ? 0 : stream->body.size() - stream->sent;
}

bool H2Session::finished(std::int32_t id) const {
  const Stream* const stream = find(id);
  return stream == nullptr || stream->all_sent;
}

void H2Session::consumed(std::int32_t id, std::size_t bytes) {
  (void)nghttp2_session_consume(session_, id, bytes);
}

void H2Session::reset(std::int32_t id, H2Error error) {
  (void)nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id,
                                  static_cast<std::uint32_t>(error));
}

void H2Session::go_away(H2Error error) {
  const std::int32_t last = nghttp2_session_get_last_proc_stream_id(session_);
  if (error == H2Error::none) {
    (void)nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
  } else {
    (void)nghttp2_session_terminate_session2(session_, last, static_cast<std::uint32_t>(error));
  }
}

}  // namespace sallyport::http
