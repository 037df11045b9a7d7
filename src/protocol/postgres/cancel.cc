#include "protocol/postgres/cancel.h"

#include "base/crypto.h"

namespace sallyport::postgres {

CancelDesk::Place CancelDesk::enter(net::Poster poster, std::function<void()> cancel,
                                    std::size_t key_bytes) {
  CancelRequest request;
  request.key.resize(key_bytes);
  random_.fill(request.key);
  const std::lock_guard lock(mutex_);
  do {
    std::array<std::byte, 4> id{};
    random_.fill(id);
    request.process_id = read_u32(id) & 0x7fffffff;  // clients print it as a signed number
  } while (request.process_id == 0 || entries_.contains(request.process_id));
  entries_.emplace(request.process_id, Entry{request.key, std::move(poster), std::move(cancel)});
  return Place(*this, std::move(request));
}

void CancelDesk::request(const CancelRequest& cancel) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(cancel.process_id);
  if (found == entries_.end()) return;
  if (!equal_in_constant_time(found->second.key, cancel.key)) return;
  found->second.poster.post(found->second.cancel);
}

void CancelDesk::leave(std::uint32_t process_id) {
  const std::lock_guard lock(mutex_);
  entries_.erase(process_id);
}

}  // namespace sallyport::postgres
