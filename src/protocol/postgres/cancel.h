#pragma once
// CancelDesk: gives every session a cancel key of the gateway's own and finds the session again
// when a CancelRequest arrives, on whatever worker that is. The server's key never leaves the
// gateway.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/clock.h"
#include "net/poster.h"
#include "protocol/postgres/wire.h"

namespace sallyport::postgres {

class CancelDesk {
 public:
  explicit CancelDesk(Random& random) : random_(random) {}

  /// Holds the place of one session; gives it up when it goes.
  class Place {
   public:
    Place(CancelDesk& desk, CancelRequest key) : desk_(&desk), key_(std::move(key)) {}
    Place(Place&& other) noexcept
        : desk_(std::exchange(other.desk_, nullptr)), key_(std::move(other.key_)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (desk_ != nullptr) desk_->leave(key_.process_id);
    }
    /// For the client's BackendKeyData.
    const CancelRequest& key() const { return key_; }

   private:
    CancelDesk* desk_;
    CancelRequest key_;
  };

  /// `cancel` runs on the thread of `poster` and must stand being called after its session ended:
  /// give it a weak pointer. `key_bytes` is 4 for protocol 3.0, up to 256 for 3.2.
  Place enter(net::Poster poster, std::function<void()> cancel, std::size_t key_bytes);

  /// Asks the session with that key, if there is one, to cancel. Says nothing to the caller.
  void request(const CancelRequest& cancel);

 private:
  struct Entry {
    ByteVector key;
    net::Poster poster;
    std::function<void()> cancel;
  };
  void leave(std::uint32_t process_id);

  Random& random_;
  // Cancel requests come in on any worker: the one lock of this protocol, never on a command's way.
  std::mutex mutex_;
  std::unordered_map<std::uint32_t, Entry> entries_;
};

}  // namespace sallyport::postgres
