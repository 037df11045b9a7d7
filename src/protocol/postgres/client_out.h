#pragma once
// ClientOut: what has been released for the client and is not sent yet, in order. What lies whole
// in the buffer in which it was received is not copied for that.

#include <cstddef>
#include <utility>

#include "base/bytes.h"

namespace sallyport::postgres {

class ClientOut {
 public:
  bool empty() const { return own_.empty() && run_.empty(); }
  std::size_t size() const { return own_.size() + run_.size(); }

  /// What comes from now on goes nowhere, up to unmute(). Between two messages.
  void mute() {
    gather();
    muted_ = true;
  }
  void unmute() {
    muted_ = false;
    nowhere_ = {};
  }
  bool muted() const { return muted_; }

  void add(Bytes bytes) { append(end(), bytes); }
  /// The same for bytes that stay where they are until they are taken or gather() was called. Only
  /// by one who does one of the two before he lets go of them, or of the thread.
  void pass(Bytes bytes) {
    if (muted_) return;
    if (!run_.empty() && run_.data() + run_.size() == bytes.data()) {
      run_ = {run_.data(), run_.size() + bytes.size()};
    } else {
      gather();
      run_ = bytes;
    }
  }
  /// To append to.
  ByteVector& end() {
    if (muted_) {
      nowhere_.clear();
      return nowhere_;
    }
    gather();
    return own_;
  }
  void gather() { append(own_, std::exchange(run_, {})); }

  /// Everything there is. As long-lived as what was passed.
  class Taken {
   public:
    explicit Taken(ClientOut& from)
        : own_(std::exchange(from.own_, {})), run_(std::exchange(from.run_, {})) {
      if (!own_.empty() && !run_.empty()) append(own_, std::exchange(run_, {}));
    }
    Bytes bytes() const { return own_.empty() ? run_ : Bytes(own_); }

   private:
    ByteVector own_;
    Bytes run_;
  };

 private:
  ByteVector own_;
  Bytes run_;  // comes behind own_
  bool muted_ = false;
  ByteVector nowhere_;
};

}  // namespace sallyport::postgres
