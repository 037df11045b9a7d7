#include "ledger/waiters.h"

#include <map>
#include <utility>

namespace sallyport::ledger {

void WokenWaits::add(WaitHandle wait, Result<void> result) {
  wait->result = std::move(result);
  waits_.push_back(std::move(wait));
}

void WokenWaits::post() {
  std::map<net::Reactor*, std::vector<WaitHandle>> by_reactor;
  for (WaitHandle& wait : waits_) by_reactor[wait->reactor].push_back(std::move(wait));
  waits_.clear();
  for (auto& [reactor, waits] : by_reactor) {
    const net::Poster poster = waits.front()->poster;
    poster.post([batch = std::move(waits)] {
      for (const WaitHandle& wait : batch) {
        if (wait->coroutine) wait->coroutine.resume();
      }
    });
  }
}

}  // namespace sallyport::ledger
