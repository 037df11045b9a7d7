#include "ledger/read.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "ledger/format.h"

namespace sallyport::ledger {
namespace {

constexpr std::size_t window_bytes = std::size_t{1} << 18;
constexpr int torn_retries = 20;
constexpr std::chrono::milliseconds torn_patience{25};

bool wanted(const Filter& filter, const Frame& frame) {
  if (frame.sequence < filter.from_sequence) return false;
  if (filter.session && frame.session != *filter.session) return false;
  if (filter.since && frame.time < *filter.since) return false;
  if (filter.until && frame.time > *filter.until) return false;
  return filter.kinds.empty() || std::ranges::find(filter.kinds, frame.kind) != filter.kinds.end();
}

}  // namespace

struct LogReader::State {
  FileLayer& files;
  std::filesystem::path directory;
  Filter filter;
  std::uint64_t number = 0;
  std::unique_ptr<File> file;
  std::uint64_t offset = header_bytes;  // of the next record
  ByteVector window;                    // bytes of the file from `window_at`
  std::uint64_t window_at = 0;

  Result<void> open_segment(std::uint64_t wanted_number);
  bool segment_exists(std::uint64_t which) const;
  Result<void> refill(std::size_t at_least);
  Result<std::optional<Frame>> frame();
  Result<std::optional<Frame>> patient_frame();
  Bytes rest() const { return Bytes(window).subspan(offset - digest_bytes - window_at); }
};

Result<void> LogReader::State::open_segment(std::uint64_t wanted_number) {
  auto opened = files.open(directory / segment_name(wanted_number), OpenMode::read);
  if (!opened) return fail(opened);
  file = std::move(*opened);
  number = wanted_number;
  offset = header_bytes;
  window.clear();
  window_at = offset - digest_bytes;
  ByteVector header(header_bytes);
  auto got = file->read_at(header, 0);
  if (!got) return fail(got);
  header.resize(*got);
  auto decoded = decode_header(header);
  if (!decoded) return fail(decoded, segment_name(number));
  return ok();
}

bool LogReader::State::segment_exists(std::uint64_t which) const {
  return files.open(directory / segment_name(which), OpenMode::read).has_value();
}

// Reads again from the next record on, `at_least` bytes if the file has them.
Result<void> LogReader::State::refill(std::size_t at_least) {
  window_at = offset - digest_bytes;
  window.resize(std::max(at_least, window_bytes));
  std::size_t have = 0;
  while (have < window.size()) {
    auto got = file->read_at(std::span(window).subspan(have), window_at + have);
    if (!got) return fail(got);
    if (*got == 0) break;
    have += *got;
  }
  window.resize(have);
  if (have < digest_bytes) return fail(Errc::malformed, "the segment became shorter");
  return ok();
}

Result<std::optional<Frame>> LogReader::State::frame() {
  constexpr std::size_t head = digest_bytes + frame_overhead_bytes;
  if (window.empty() || rest().size() < head || read_u32(rest().subspan(digest_bytes)) == 0) {
    if (auto done = refill(head); !done) return fail(done);
  }
  if (rest().size() >= head) {
    const Bytes at = rest().subspan(digest_bytes);
    const std::size_t need = head + std::size_t{read_u32(at.subspan(4))} + 255;
    if (read_u32(at) != 0 && rest().size() < need && need <= segment_bytes_max) {
      if (auto done = refill(need); !done) return fail(done);
    }
  }
  return decode_frame(rest());
}

// The writer may be in the middle of it: what is broken now may be whole in a moment.
Result<std::optional<Frame>> LogReader::State::patient_frame() {
  auto next = frame();
  for (int i = 0; i < torn_retries && !next; ++i) {
    if (segment_exists(number + 1)) break;
    std::this_thread::sleep_for(torn_patience);
    window.clear();
    window_at = offset - digest_bytes;
    next = frame();
  }
  return next;
}

LogReader::LogReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
LogReader::LogReader(LogReader&&) noexcept = default;
LogReader& LogReader::operator=(LogReader&&) noexcept = default;
LogReader::~LogReader() = default;

Result<LogReader> LogReader::open(std::filesystem::path directory, Filter filter,
                                  FileLayer& files) {
  auto names = files.list(directory);
  if (!names) return fail(names);
  std::optional<std::uint64_t> first;
  for (const std::string& name : *names) {
    const auto number = segment_number(name);
    if (number && (!first || *number < *first)) first = number;
  }
  if (!first) return fail(Errc::invalid, directory.string() + ": no ledger here");
  auto state = std::make_unique<State>(
      State{.files = files, .directory = std::move(directory), .filter = std::move(filter)});
  if (auto opened = state->open_segment(*first); !opened) return fail(opened);
  return LogReader(std::move(state));
}

Result<std::optional<Entry>> LogReader::next() {
  while (true) {
    auto frame = state_->patient_frame();
    if (frame && !*frame && state_->segment_exists(state_->number + 1)) {
      // The next segment exists, so this one is complete now, if it was not a moment ago.
      frame = state_->patient_frame();
      if (frame && !*frame) {
        auto opened = state_->open_segment(state_->number + 1);
        if (!opened) return fail(opened);
        continue;
      }
    }
    if (!frame) {
      return fail(frame, segment_name(state_->number) + ":" + std::to_string(state_->offset));
    }
    if (!*frame) return std::nullopt;
    const Frame& found = **frame;
    state_->offset += found.size;
    if (!wanted(state_->filter, found)) continue;
    auto payload = payload_of(found);
    if (!payload) return fail(payload);
    return Entry{.sequence = found.sequence,
                 .kind = found.kind,
                 .time = found.time,
                 .session = std::string(found.session),
                 .payload = std::move(*payload)};
  }
}

}  // namespace sallyport::ledger
