#include "protocol/http/adapter.h"

#include "base/counted.h"
#include "base/log.h"
#include "net/reactor.h"
#include "protocol/http/http1.h"
#include "protocol/http/http2.h"

namespace sallyport::web {
namespace {

constexpr std::chrono::seconds handshake_s_max{10};
constexpr std::size_t conversations_at_once = 100;

/// A place in a list for as long as it lives.
template <class T>
struct Entered {
  std::list<T>& all;
  typename std::list<T>::iterator place;
  Entered(std::list<T>& of, T one) : all(of), place(of.insert(of.end(), std::move(one))) {}
  Entered(const Entered&) = delete;
  ~Entered() { all.erase(place); }
};

}  // namespace

Adapter::Adapter(std::shared_ptr<const Options> options, Shared shared)
    : options_(std::move(options)), shared_(shared) {}

Adapter::~Adapter() = default;

void Adapter::use(std::shared_ptr<const Options> options) {
  options_ = std::move(options);
  pool_.renew();
}

std::shared_ptr<mask::Masker> Adapter::detectors_of(const Masking& masking) {
  if (masking.detect == mask::Mode::off) return nullptr;
  for (const auto& known : detectors_) {
    if (known->mode() == masking.detect && known->wanted() == masking.detectors) return known;
  }
  auto scanner = mask::Scanner::make(masking.patterns, masking.detectors);
  if (!scanner) throw std::bad_alloc();
  return detectors_.emplace_back(
      std::make_shared<mask::Masker>(*std::move(scanner), masking.detect));
}

Task<void> Adapter::serve(std::unique_ptr<net::Stream> client) {
  if (clients_ >= options_->clients_max || draining_) {
    log::warn("client turned away: too many clients", {{"source", client->peer().ip}});
    client->close();
    co_return;
  }
  const Counted count(clients_);
  const auto context = options_->tls;
  if (context == nullptr) co_return co_await serve_over(std::move(client), false, false);

  const std::string source = client->peer().ip;
  Result<std::unique_ptr<net::TlsStream>> secured = fail(Errc::closed, "");
  {
    const Entered<net::Stream*> securing(securing_, client.get());
    secured = co_await net::tls_accept(std::move(client), context,
                                       net::Reactor::current().now() + handshake_s_max);
  }
  if (!secured) {
    log::debug("TLS handshake failed", {{"source", source}, {"detail", secured.error().detail}});
    co_return;
  }
  const bool http2 = (*secured)->alpn() == "h2";
  co_await serve_over(std::move(*secured), true, http2);
}

Task<void> Adapter::serve_over(std::unique_ptr<net::Stream> client, bool tls, bool http2) {
  std::unique_ptr<Conversation> conversation;
  if (http2) {
    conversation = std::make_unique<Http2>(*this, *client, tls);
  } else {
    conversation = std::make_unique<Http1>(*this, *client, tls);
  }
  const auto self = std::make_shared<Conversation*>(conversation.get());
  {
    const Entered<std::shared_ptr<Conversation*>> entered(open_, self);
    co_await conversation->run();
  }
  client->close();
}

Task<void> Adapter::end_revoked(bool policies) {
  const std::vector<std::weak_ptr<Conversation*>> all(open_.begin(), open_.end());
  const std::weak_ptr<bool> alive = alive_;
  std::size_t asked = 0;
  for (const auto& weak : all) {
    if (const auto conversation = weak.lock()) (*conversation)->end_if_revoked(policies);
    // Others' requests go on meanwhile.
    if (++asked % conversations_at_once == 0) {
      co_await net::Reactor::current().sleep_for(std::chrono::milliseconds(1));
      if (alive.expired()) co_return;
    }
  }
}

void Adapter::drain() {
  draining_ = true;
  pool_.close();
  for (net::Stream* const stream : securing_) stream->close();
  for (const auto& conversation : open_) (*conversation)->drain();
}

void Adapter::end_all() {
  drain();
  for (const auto& conversation : open_) (*conversation)->end("shutdown");
}

}  // namespace sallyport::web
