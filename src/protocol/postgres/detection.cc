#include "protocol/postgres/detection.h"

#include <algorithm>
#include <array>

#include "base/metrics.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t copy_header_bytes = 11 + 4 + 4;  // signature, flags, size of the extension

/// Types whose values have no text in them, and arrays of such: bool, integers, floats, numeric,
/// dates and times, uuid, network addresses, identifiers, geometry.
constexpr auto never_text = std::to_array<std::uint32_t>(
    {16,   20,   21,   23,   24,   26,   27,   28,   29,   600,  601,  602,  603,  604,  628,
     650,  700,  701,  718,  774,  790,  791,  829,  869,  1000, 1005, 1007, 1008, 1010, 1011,
     1012, 1016, 1017, 1018, 1019, 1020, 1021, 1022, 1027, 1028, 1040, 1041, 1082, 1083, 1114,
     1115, 1182, 1183, 1184, 1185, 1186, 1187, 1231, 1266, 1270, 1560, 1561, 1562, 1563, 1700,
     2202, 2203, 2204, 2205, 2206, 2278, 2950, 2951, 3220, 3221, 5069});
static_assert(std::ranges::is_sorted(never_text));

std::string_view name_of(mask::Detector detector) {
  return mask::info(detector).name;
}

metrics::Counter& counter_of(std::string_view detector, mask::Mode mode) {
  return metrics::counter(
      "sallyport_detector_hits_total",
      "Values that a detector found in answers, by what was done with them",
      {{"detector", std::string(detector)}, {"mode", std::string(mask::to_string(mode))}});
}

/// Looked up once a worker and mode: a lookup takes a lock.
metrics::Counter& cached_counter(mask::Detector detector, mask::Mode mode) {
  static thread_local std::array<std::array<metrics::Counter*, mask::detector_count>, 3> counters{};
  metrics::Counter*& counter =
      counters[static_cast<std::size_t>(mode)][static_cast<std::size_t>(detector)];
  if (counter == nullptr) counter = &counter_of(name_of(detector), mode);
  return *counter;
}

std::span<char> chars(std::span<std::byte> bytes) {
  return {reinterpret_cast<char*>(bytes.data()), bytes.size()};
}

/// Whoever gets this ends the session: nothing may go out that was not looked through.
Result<void> not_looked_through(Result<void>& done) {
  if (done) return ok();
  return fail(Errc::unavailable, "detectors: " + done.error().detail);
}

}  // namespace

void FieldStream::begin_row() {
  *this = FieldStream();
}

void FieldStream::begin_copy() {
  *this = FieldStream();
  copy_ = true;
  state_ = State::header;
  left_ = copy_header_bytes;
}

void FieldStream::next_field() {
  state_ = fields_left_ > 0 ? State::length : State::count;
  number_ = 0;
  number_missing_ = fields_left_ > 0 ? 4 : 2;
}

/// A count of fields, a length, or the size of the header's extension.
void FieldStream::number_read(const LookedAtColumns* columns) {
  if (state_ == State::count) {
    if (copy_ && number_ == 0xffff) {  // the end of a binary copy
      state_ = State::end;
      return;
    }
    fields_left_ = number_;
    column_ = 0;
    return next_field();
  }
  --fields_left_;
  const std::size_t column = column_++;
  if (number_ == 0xffffffff) return next_field();  // NULL
  looked_at_ = columns == nullptr || column >= columns->size() || !(*columns)[column].never_text;
  value_.begin(columns != nullptr && column < columns->size() ? (*columns)[column].named
                                                              : mask::Topics());
  left_ = number_;
  state_ = State::value;
  if (left_ == 0) next_field();
}

Result<void> FieldStream::feed(mask::Masker& masker, Bytes piece, const LookedAtColumns* columns,
                               ByteVector& out, mask::Findings& findings) {
  while (!piece.empty()) {
    switch (state_) {
      case State::header:
      case State::extension: {
        const std::size_t size = std::min(left_, piece.size());
        for (const std::byte byte : piece.first(size)) {
          // The last four bytes of the header are the extension's size.
          number_ = number_ << 8 | std::to_integer<std::uint32_t>(byte);
        }
        append(out, piece.first(size));
        piece = piece.subspan(size);
        left_ -= size;
        if (left_ > 0) break;
        left_ = state_ == State::header ? number_ : 0;
        state_ = State::extension;
        if (left_ == 0) next_field();
        break;
      }
      case State::count:
      case State::length:
        number_ = number_ << 8 | std::to_integer<std::uint32_t>(piece[0]);
        append(out, piece.first(1));
        piece = piece.subspan(1);
        if (--number_missing_ == 0) number_read(columns);
        break;
      case State::value: {
        const std::size_t size = std::min(left_, piece.size());
        left_ -= size;
        if (looked_at_) {
          auto done = value_.feed(masker, as_text(piece.first(size)), left_ == 0, out, findings);
          if (!done) return done;
        } else {
          append(out, piece.first(size));
        }
        piece = piece.subspan(size);
        if (left_ == 0) next_field();
        break;
      }
      case State::end:
        append(out, piece);
        piece = {};
        break;
    }
  }
  return ok();
}

Result<std::shared_ptr<const LookedAtColumns>> Detection::columns(Bytes row_description) {
  auto all = std::make_shared<LookedAtColumns>();
  FieldReader reader(row_description);
  const std::uint16_t count = reader.u16();
  all->reserve(count);
  for (std::uint16_t i = 0; i < count && !reader.failed(); ++i) {
    const std::string_view name = reader.text();
    reader.bytes(6);  // table and column
    const std::uint32_t type = reader.u32();
    reader.bytes(8);  // size, modifier, format
    LookedAt column{.never_text = std::ranges::binary_search(never_text, type), .named = {}};
    if (!column.never_text) {
      auto named = masker_->topics_of(name);
      if (!named) return fail(Errc::unavailable, "detectors: " + named.error().detail);
      column.named = *named;
    }
    all->push_back(column);
  }
  return all;
}

Result<void> Detection::row(const Message& message, const LookedAtColumns* columns,
                            ByteVector& out) {
  if (message.first && message.last) {
    const std::size_t at = out.size() + header_bytes;
    append(out, message.raw);
    return whole_row(std::span(out).subspan(at), columns);
  }
  if (message.first) {
    append(out, message.raw.first(message.raw.size() - message.body.size()));
    fields_.begin_row();
  }
  auto done = fields_.feed(*masker_, message.body, columns, out, findings_);
  return not_looked_through(done);
}

/// Its fields fill it: that was checked.
Result<void> Detection::whole_row(std::span<std::byte> body, const LookedAtColumns* columns) {
  const std::uint16_t count = read_u16(body);
  std::size_t at = 2;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t size = read_u32(Bytes(body).subspan(at));
    at += 4;
    if (size == 0xffffffff) continue;
    const bool described = columns != nullptr && i < columns->size();
    if (!described || !(*columns)[i].never_text) {
      auto done = masker_->whole(chars(body.subspan(at, size)),
                                 described ? (*columns)[i].named : mask::Topics(), findings_);
      if (!done) return not_looked_through(done);
    }
    at += size;
  }
  return ok();
}

void Detection::begin_copy(bool binary) {
  binary_ = binary;
  between_lines_ = true;
  if (binary) {
    fields_.begin_copy();
  } else {
    lines_.begin({});
  }
}

void Detection::frame(Bytes data, ByteVector& out) {
  if (data.empty()) return;
  MessageBuilder(out, backend::copy_data).bytes(data);
}

/// PostgreSQL sends a row in each message. A line is looked at as one text; where a message ends
/// inside of one, the text goes on in the next.
Result<void> Detection::copy(const Message& message, ByteVector& out) {
  const bool line_ends =
      message.last && !message.body.empty() && message.body.back() == std::byte{'\n'};
  if (!binary_ && message.first && line_ends && between_lines_) {
    const std::size_t at = out.size() + header_bytes;
    append(out, message.raw);
    auto done = masker_->whole(chars(std::span(out).subspan(at)), {}, findings_);
    return not_looked_through(done);
  }
  released_.clear();
  Result<void> done;
  if (binary_) {
    done = fields_.feed(*masker_, message.body, nullptr, released_, findings_);
  } else {
    done = lines_.feed(*masker_, as_text(message.body), line_ends, released_, findings_);
    if (line_ends) lines_.begin({});
    between_lines_ = line_ends || (between_lines_ && message.body.empty());
  }
  frame(released_, out);
  return not_looked_through(done);
}

Result<void> Detection::end_copy(ByteVector& out) {
  if (binary_ || between_lines_) return ok();
  released_.clear();
  auto done = lines_.feed(*masker_, {}, true, released_, findings_);
  between_lines_ = true;
  frame(released_, out);
  return not_looked_through(done);
}

Result<Message> Detection::told(const Message& message) {
  told_.assign(message.raw.begin(), message.raw.end());
  const std::size_t header = message.raw.size() - message.body.size();
  const std::span<std::byte> body = std::span(told_).subspan(header);
  const bool notification = message.type == backend::notification;
  std::size_t at = notification ? 4 : 0;  // the process that notified
  while (at < body.size() && (notification || body[at] != std::byte{0})) {
    const char code = notification ? 'M' : static_cast<char>(body[at++]);
    const auto end =
        static_cast<std::size_t>(std::ranges::find(body.subspan(at), std::byte{0}) - body.begin());
    // Severity, SQLSTATE, positions, the server's own source lines.
    if (!std::string_view("SVCPpFLR").contains(code)) {
      auto done = masker_->whole(chars(body.subspan(at, end - at)), {}, findings_);
      if (!done) return fail(Errc::unavailable, "detectors: " + done.error().detail);
    }
    at = end + 1;
  }
  Message hidden = message;
  hidden.raw = told_;
  hidden.body = Bytes(told_).subspan(header);
  return hidden;
}

void Detection::note(Outcome* outcome) {
  if (findings_.empty()) return;
  const mask::Mode mode = masker_->mode();
  for (const mask::Detector detector : findings_.found) {
    cached_counter(detector, mode).add();
    if (outcome != nullptr) ++outcome->detected[std::string(name_of(detector))];
  }
  if (findings_.withheld > 0) {
    counter_of("withheld", mode).add(static_cast<double>(findings_.withheld));
    if (outcome != nullptr) outcome->detected["withheld"] += findings_.withheld;
  }
  if (outcome != nullptr && mode == mask::Mode::mask) {
    outcome->masked_fields += findings_.found.size() + findings_.withheld;
  }
  findings_.clear();
}

}  // namespace sallyport::postgres
