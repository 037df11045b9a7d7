#include "net/process_signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <array>
#include <cerrno>
#include <thread>
#include <utility>

#include "base/check.h"
#include "net/descriptor.h"
#include "net/kernel.h"

namespace sallyport::net {
namespace {

class SignalThread final : public ProcessSignals {
 public:
  SignalThread(Descriptor signals, Descriptor end, Poster poster,
               std::function<void(int)> on_signal)
      : signals_(std::move(signals)),
        end_(std::move(end)),
        poster_(std::move(poster)),
        on_signal_(std::make_shared<std::function<void(int)>>(std::move(on_signal))),
        thread_([this] { work(); }) {}

  ~SignalThread() override {
    const std::uint64_t one = 1;
    SALLYPORT_CHECK(::write(end_.get(), &one, sizeof one) == sizeof one);
    thread_.join();
  }

 private:
  void work() {
    std::array<pollfd, 2> waits{pollfd{signals_.get(), POLLIN, 0}, pollfd{end_.get(), POLLIN, 0}};
    for (;;) {
      if (::poll(waits.data(), waits.size(), -1) < 0) {
        SALLYPORT_CHECK(errno == EINTR);
        continue;
      }
      if (waits[1].revents != 0) return;
      signalfd_siginfo info{};
      if (::read(signals_.get(), &info, sizeof info) != sizeof info) continue;
      poster_.post([on_signal = on_signal_, signal = static_cast<int>(info.ssi_signo)] {
        (*on_signal)(signal);
      });
    }
  }

  Descriptor signals_;
  Descriptor end_;
  Poster poster_;
  std::shared_ptr<std::function<void(int)>> on_signal_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<ProcessSignals>> ProcessSignals::watch(std::initializer_list<int> signals,
                                                              Poster poster,
                                                              std::function<void(int)> on_signal) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) {
    if (::sigaddset(&set, signal) != 0) return fail(Errc::invalid, "no such signal");
  }
  if (const int problem = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); problem != 0) {
    return fail_errno(Errc::io, "pthread_sigmask", problem);
  }
  Descriptor fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail_errno(Errc::io, "signalfd", errno);
  Descriptor end(::eventfd(0, EFD_CLOEXEC));
  if (!end) return fail_errno(Errc::io, "eventfd", errno);
  return std::make_unique<SignalThread>(std::move(fd), std::move(end), std::move(poster),
                                        std::move(on_signal));
}

}  // namespace sallyport::net
