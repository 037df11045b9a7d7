#pragma once
// Http1: a client's connection that speaks HTTP/1.1: one request after the other. Inside of this
// room only.

#include <optional>
#include <string>
#include <string_view>

#include "http/request_decoder.h"
#include "protocol/http/conversation.h"

namespace sallyport::web {

class Http1 final : public Conversation, private Channel {
 public:
  Http1(Adapter& adapter, net::Stream& client, bool tls);

  Task<void> run() override;
  void drain() override;

 private:
  Task<std::optional<http::RequestHead>> receive_head();
  Task<bool> receive(SteadyTime deadline);
  Task<bool> write(std::string_view bytes);
  Task<bool> drop_body();
  Task<void> linger();

  http::Decoded<void> limit_body(std::uint64_t bytes_max) override;
  bool body_done() const override { return body_->done(); }
  Task<http::Decoded<Bytes>> read(SteadyTime deadline) override;
  void stop_reading() override;
  Task<bool> tell_to_continue() override;
  Task<void> respond(http::Response response) override;
  Task<void> refuse(const http::Rejection& rejection) override;
  Result<void> head(const http::Response& response, http::BodyForm form) override;
  void body(std::string_view piece) override;
  void finish() override;
  Result<void> switch_to_websocket(const http::Headers& headers) override;
  Task<bool> flush() override;
  Task<void> drop_rest() override;
  void abort() override;
  bool gone() const override;

  http::RequestHeadDecoder decoder_;
  net::Chunk chunk_;
  Bytes input_;                              // of chunk_, not used yet
  const http::RequestHead* head_ = nullptr;  // of the request that is under way
  std::optional<http::BodyReader> body_;     // of the request
  bool continue_owed_ = false;               // the client waits for "100 Continue"
  bool waiting_ = false;                     // for a request
  bool goes_on_ = true;                      // after this request, as the answer said
  bool chunked_ = false;                     // the answer
  std::string out_;                          // of the answer, gathered
};

}  // namespace sallyport::web
