#pragma once
// EventStreamMasker: masks server-sent events (text/event-stream), event by event, as they come.
// The data of an event is a JSON document; what is not is only passed on where nothing is masked by
// its class. An event is held until it is complete.

#include <string>
#include <string_view>
#include <vector>

#include "content/json_masker.h"

namespace sallyport::content {

inline constexpr std::size_t event_bytes_max = std::size_t{1} << 20;

class EventStreamMasker {
 public:
  explicit EventStreamMasker(Plan plan, const JsonLimits& limits = {});

  /// As JsonMasker::feed.
  Result<void> feed(Bytes piece, ByteVector& out);
  /// What is left of an event is dropped, as its reader would drop it (HTML, 9.2.6).
  Result<void> finish() { return ok(); }

  const Masked& masked() const { return masked_; }

 private:
  Result<void> end_line(ByteVector& out);
  Result<void> end_event(ByteVector& out);
  Result<std::string> masked_data();
  Result<std::string> looked_through(std::string text);

  Plan plan_;
  JsonLimits limits_;
  std::string line_;
  bool after_cr_ = false;
  bool first_line_ = true;
  std::string fields_;  // the other lines of the event, as they will go out
  std::string data_;
  bool has_data_ = false;
  mask::Findings findings_;
  Masked masked_;
};

}  // namespace sallyport::content
