#include "content/event_stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::content {

EventStreamMasker::EventStreamMasker(Plan plan, const JsonLimits& limits)
    : plan_(std::move(plan)), limits_(limits) {}

Result<void> EventStreamMasker::feed(Bytes piece, ByteVector& out) {
  const std::size_t before = out.size();
  std::string_view text = as_text(piece);
  while (!text.empty()) {
    if (after_cr_ && text.front() == '\n') text.remove_prefix(1);
    after_cr_ = false;
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    line_ += text.substr(0, end);
    auto done = ok();
    if (line_.size() + data_.size() + fields_.size() > event_bytes_max) {
      done = fail(Errc::too_large, fmt::format("an event above {} bytes", event_bytes_max));
    } else if (end < text.size()) {
      after_cr_ = text[end] == '\r';
      done = end_line(out);
    }
    if (!done) {
      out.resize(before);
      return done;
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return ok();
}

Result<void> EventStreamMasker::end_line(ByteVector& out) {
  const std::string line = std::move(line_);
  line_.clear();
  if (!is_utf8(line)) return fail(Errc::malformed, "an event stream that is not UTF-8");
  if (first_line_ && line.starts_with("\xef\xbb\xbf")) {
    return fail(Errc::malformed, "an event stream with a byte order mark");
  }
  first_line_ = false;
  if (line.empty()) return end_event(out);
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string_view name = std::string_view(line).substr(0, colon);
  std::string_view value = std::string_view(line).substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name.empty()) {
    fields_ += ":\n";  // a comment keeps the connection alive; nobody reads it
    // Alone it must not wait for an event to end.
    if (!has_data_ && fields_ == ":\n") {
      append(out, fields_);
      fields_.clear();
    }
  } else if (name == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  } else if (name == "event" || name == "id" || name == "retry") {
    auto shown = looked_through(std::string(value));
    if (!shown) return fail(shown);
    fields_ += fmt::format("{}: {}\n", name, *shown);
  }
  // Readers skip fields of other names.
  return ok();
}

Result<void> EventStreamMasker::end_event(ByteVector& out) {
  if (has_data_) {
    auto data = masked_data();
    if (!data) return fail(data);
    for (std::size_t begin = 0; begin <= data->size();) {
      const std::size_t end = std::min(data->find('\n', begin), data->size());
      fields_ += fmt::format("data: {}\n", std::string_view(*data).substr(begin, end - begin));
      begin = end + 1;
    }
  }
  append(out, fields_);
  append(out, "\n");
  fields_.clear();
  data_.clear();
  has_data_ = false;
  return ok();
}

Result<std::string> EventStreamMasker::masked_data() {
  const std::size_t begin = data_.find_first_not_of(" \t\n");
  if (begin == std::string::npos) return data_;
  // What ends the streams of many chat APIs.
  if (data_ == "[DONE]") return data_;
  JsonMasker json(plan_, limits_);
  ByteVector out;
  auto done = json.feed(as_bytes(data_), out);
  if (done) done = json.finish(out);
  if (done) {
    masked_.add(json.masked());
    return std::string(as_text(out));
  }
  if (plan_.masks_something()) {
    return fail(done, "an event's data is not the JSON that its mask needs");
  }
  return looked_through(data_);
}

Result<std::string> EventStreamMasker::looked_through(std::string text) {
  if (plan_.detectors == nullptr || text.empty()) return text;
  if (auto done = plan_.detectors->whole(text, {}, findings_); !done) return fail(done);
  masked_.add(findings_);
  // A mask has as many bytes, none of which ends a line.
  return text;
}

}  // namespace sallyport::content
