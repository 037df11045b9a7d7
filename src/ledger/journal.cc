#include "ledger/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "ledger/payloads.h"

namespace sallyport::ledger {
namespace {

constexpr std::size_t zeros_bytes = std::size_t{1} << 20;
constexpr std::size_t checkpoint_line_bytes_max = 2048;
constexpr std::size_t checkpoints_bytes_max = std::size_t{1} << 30;

Result<std::vector<std::uint64_t>> segments_in(FileLayer& files,
                                               const std::filesystem::path& directory) {
  auto names = files.list(directory);
  if (!names) return fail(names);
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : *names) {
    if (const auto number = segment_number(name)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

Result<void> check(const Options& options) {
  if (!valid_name(options.tenant) || !valid_name(options.node)) {
    return fail(Errc::invalid,
                "tenant and node may have letters, digits, '.', '_' and '-', 1 to 64");
  }
  if (options.segment_bytes < segment_bytes_min || options.segment_bytes > segment_bytes_max) {
    return fail(Errc::invalid, "ledger.segment_bytes must be between 8 KiB and 1 GiB");
  }
  if (options.payload_bytes_max > plain_bytes_max) {
    return fail(Errc::invalid, "ledger.payload_bytes_max must be at most 64 MiB");
  }
  return ok();
}

Error damaged(std::string what) {
  return {Errc::invalid, what +
                             "; the ledger is not opened because signed records would be lost. Run "
                             "`sallyport ledger verify` and restore the files"};
}

}  // namespace

Journal::Journal(const Options& options, FileLayer& files, const Clock& clock)
    : options_(options),
      files_(files),
      clock_(clock),
      spare_(files, path(unfinished_name), options.segment_bytes) {}

Result<std::unique_ptr<Journal>> Journal::open(const Options& options, FileLayer& files,
                                               const Clock& clock) {
  if (auto good = check(options); !good) return fail(good);
  std::unique_ptr<Journal> journal(new Journal(options, files, clock));
  if (auto made = files.make_directory(options.directory); !made) return fail(made);
  auto lock = files.lock(journal->path(lock_name));
  if (!lock) return fail(lock);
  journal->lock_ = std::move(*lock);

  auto segments = segments_in(files, options.directory);
  if (!segments) return fail(segments);
  for (std::size_t i = 0; i < segments->size(); ++i) {
    if ((*segments)[i] != i) return std::unexpected(damaged(segment_name(i) + " is missing"));
  }
  if (auto done = journal->load_key(segments->empty()); !done) return fail(done);
  if (auto done = journal->load_checkpoints(); !done) return fail(done);

  if (segments->empty()) {
    if (journal->newest_) return std::unexpected(damaged("there are checkpoints but no segments"));
    if (auto done = journal->begin_segment(0, 1); !done) return fail(done);
  } else {
    if (auto done = journal->load_last_segment(segments->back()); !done) return fail(done);
  }
  if (auto done = journal->checkpoint("start"); !done) return fail(done);
  return journal;
}

// Creating the key is the first thing that ever happens in the directory; a log without its key is
// not given a new one, since nobody could tell it from a forged log.
Result<void> Journal::load_key(bool fresh) {
  auto names = files_.list(options_.directory);
  if (!names) return fail(names);
  if (!contains(*names, private_key_name)) {
    if (!fresh || contains(*names, checkpoints_name)) {
      return fail(Errc::invalid, path(private_key_name).string() +
                                     " is missing: the ledger cannot go on without its key");
    }
    const auto key = Ed25519Key::generate();
    if (auto done = replace_text(files_, path(private_key_name), key.private_pem()); !done) {
      return done;
    }
  }
  auto pem = read_text(files_, path(private_key_name), 4096);
  if (!pem) return fail(pem);
  auto key = Ed25519Key::from_pem(*pem);
  if (!key) return fail(key, path(private_key_name).string());
  key_ = std::move(*key);
  public_pem_ = key_->public_pem();
  auto known = contains(*names, public_key_name) ? read_text(files_, path(public_key_name), 4096)
                                                 : Result<std::string>("");
  if (!known) return fail(known);
  if (*known == public_pem_) return ok();
  return replace_text(files_, path(public_key_name), public_pem_);
}

Result<void> Journal::load_checkpoints() {
  auto names = files_.list(options_.directory);
  if (!names) return fail(names);
  if (!contains(*names, checkpoints_name)) {
    auto made = files_.open(path(checkpoints_name), OpenMode::create);
    if (!made) return fail(made);
    checkpoints_ = std::move(*made);
    return files_.sync_directory(options_.directory);
  }
  auto file = files_.open(path(checkpoints_name), OpenMode::write);
  if (!file) return fail(file);
  checkpoints_ = std::move(*file);
  auto size = checkpoints_->size();
  if (!size) return fail(size);
  // Only the end matters here; verify reads them all.
  const std::uint64_t from =
      *size > 2 * checkpoint_line_bytes_max ? *size - 2 * checkpoint_line_bytes_max : 0;
  auto tail = read_from(*checkpoints_, from, checkpoints_bytes_max);
  if (!tail) return fail(tail);
  std::string_view text = as_text(*tail);
  const std::size_t whole = text.rfind('\n');
  const std::size_t keep = whole == std::string_view::npos ? 0 : whole + 1;
  if (keep == 0 && from > 0) return std::unexpected(damaged("the checkpoints file is damaged"));
  if (keep < text.size()) {
    cut_ = "an unfinished checkpoint line was cut off";
    if (auto done = checkpoints_->truncate(from + keep); !done) return done;
    if (auto done = checkpoints_->datasync(); !done) return done;
  }
  checkpoints_bytes_ = from + keep;
  // The same for lines that were written and perhaps never synced.
  auto rewritten = write_all(*checkpoints_, Bytes(*tail).first(keep), from);
  if (!rewritten) return rewritten;
  if (auto done = checkpoints_->datasync(); !done) return done;
  if (keep == 0) return ok();
  text = text.substr(0, keep - 1);
  const std::string_view line = text.substr(text.rfind('\n') + 1);
  auto newest = decode_checkpoint(line, key_->public_bytes());
  if (!newest) return std::unexpected(damaged("the newest checkpoint: " + newest.error().detail));
  newest_ = std::move(*newest);
  checkpoint_line_ = digest_of_line(line);
  return ok();
}

// Finds the end of the last segment: what a crash left half written is cut off, unless a checkpoint
// says that more was there.
Result<void> Journal::load_last_segment(std::uint64_t number) {
  auto file = files_.open(path(segment_name(number)), OpenMode::write);
  if (!file) return fail(file);
  segment_ = std::move(*file);
  auto bytes = read_from(*segment_, 0, segment_bytes_max);
  if (!bytes) return fail(bytes, segment_name(number));
  auto scanner = SegmentScanner::open(*bytes);
  if (!scanner) {
    return std::unexpected(damaged(segment_name(number) + ": " + scanner.error().detail));
  }
  header_ = scanner->header();
  if (header_.tenant != options_.tenant || header_.node != options_.node ||
      header_.number != number || header_.public_key != key_->public_bytes()) {
    return fail(Errc::invalid, segment_name(number) + " belongs to another ledger");
  }
  const auto signed_offset = check_against_checkpoint(*scanner);
  if (!signed_offset) return std::unexpected(signed_offset.error());

  State state{.sequence = scanner->sequence(),
              .records = header_.previous_records,
              .offset = header_bytes,
              .hash = scanner->hash(),
              .tree = {}};
  std::string problem;
  while (true) {
    const auto frame = scanner->next();
    if (!frame) problem = frame.error().detail;
    if (!frame || !*frame) break;
    state.tree.add((*frame)->hash);
  }
  state.sequence = scanner->sequence();
  state.records += scanner->records();
  state.offset = scanner->offset();
  state.hash = scanner->hash();
  take_over(state);
  // A killed process leaves records in the kernel that were never synced, and after a failed sync
  // the kernel may take them for clean: written again, they are durable before anything builds on
  // them.
  const Bytes unsigned_records =
      Bytes(*bytes).subspan(*signed_offset, state.offset - *signed_offset);
  auto rewritten = write_all(*segment_, unsigned_records, *signed_offset);
  if (!rewritten) return rewritten;
  if (auto done = segment_->datasync(); !done) return done;
  if (auto done = files_.sync_directory(options_.directory); !done) return done;
  if (problem.empty() && scanner->stray_byte()) problem = "bytes after the last record";
  if (!problem.empty()) {
    if (auto done = cut_tail(*bytes, problem); !done) return done;
  }
  const bool sealed = newest_ && newest_->kind == "seal" && signed_is(durable_);
  const std::uint64_t next = next_sequence();
  if (sealed) {
    if (auto done = begin_segment(number + 1, next); !done) return done;
  }
  if (!cut_) return ok();
  log::warn("ledger recovered", {{"what", *cut_}, {"after_sequence", durable_.sequence}});
  return note_recovery(next, *cut_);
}

// The newest checkpoint must be found in the last segment, or seal the one before it.
Result<std::uint64_t> Journal::check_against_checkpoint(SegmentScanner& last) {
  if (!newest_) {
    SegmentScanner scan = last;
    const auto first = scan.next();
    if (header_.number == 0 && first && !*first)
      return header_bytes;  // died before its first checkpoint
    return std::unexpected(damaged("the checkpoints are missing"));
  }
  const Checkpoint& signed_state = *newest_;
  if (signed_state.segment + 1 == header_.number) {
    if (signed_state.kind == "seal" && signed_state.hash == header_.previous_hash &&
        signed_state.sequence == header_.previous_sequence) {
      return header_bytes;
    }
    return std::unexpected(damaged("the last segment does not follow the newest checkpoint"));
  }
  if (signed_state.segment != header_.number) {
    return std::unexpected(damaged("the newest checkpoint is of another segment"));
  }
  SegmentScanner scan = last;
  while (scan.sequence() < signed_state.sequence) {
    const auto frame = scan.next();
    if (!frame || !*frame) {
      return std::unexpected(damaged(
          fmt::format("record {} was signed and is not there: {}", scan.sequence() + 1,
                      frame ? std::string("the log ends before it") : frame.error().detail)));
    }
  }
  if (scan.sequence() == signed_state.sequence && scan.hash() == signed_state.hash)
    return scan.offset();
  return std::unexpected(damaged("the records are not those of the newest checkpoint"));
}

Result<void> Journal::cut_tail(Bytes segment, std::string_view problem) {
  const Bytes tail = segment.subspan(durable_.offset);
  const auto last = std::ranges::find_if(tail.rbegin(), tail.rend(),
                                         [](std::byte b) { return b != std::byte{0}; });
  const auto used = static_cast<std::size_t>(std::distance(last, tail.rend()));
  cut_ = fmt::format("{} bytes after record {} were cut off ({}), sha256 {}", used,
                     durable_.sequence, problem, to_hex(sha256(tail.first(used))));
  const ByteVector zeros(zeros_bytes);
  for (std::size_t at = 0; at < used; at += zeros.size()) {
    const std::size_t size = std::min(zeros.size(), used - at);
    auto done = write_all(*segment_, Bytes(zeros).first(size), durable_.offset + at);
    if (!done) return done;
  }
  return segment_->datasync();
}

Result<void> Journal::note_recovery(std::uint64_t sequence, std::string_view detail) {
  Record record{.kind = RecordKind::recovery, .session = "", .payload = "", .time = clock_.now()};
  record.payload = gateway_payload({.event = "ledger.recovery", .detail = std::string(detail)});
  if (!fits(record)) {
    if (auto done = seal(sequence); !done) return done;
  }
  add(record, sequence);
  if (auto done = write(); !done) return done;
  return sync();
}

std::uint64_t Journal::next_sequence() const {
  return std::max(durable_.sequence + 1, header_.first_sequence);
}

void Journal::take_over(const State& state) {
  added_ = durable_ = state;
  buffer_.assign(state.hash.begin(), state.hash.end());
  write_offset_ = state.offset;
}

// The file gets its name only when it is whole, so a segment always has a good header.
Result<void> Journal::begin_segment(std::uint64_t number, std::uint64_t first_sequence) {
  SegmentHeader header;
  header.number = number;
  header.segment_bytes = options_.segment_bytes;
  header.first_sequence = first_sequence;
  header.previous_sequence = durable_.sequence;
  header.previous_records = durable_.records;
  header.created = clock_.now();
  header.previous_hash = durable_.hash;
  header.checkpoint = checkpoint_line_;
  header.public_key = key_->public_bytes();
  header.tenant = options_.tenant;
  header.node = options_.node;
  const ByteVector encoded = encode_header(header);

  auto file = spare_.take();
  if (!file) return fail(file);
  if (auto done = write_all(**file, encoded, 0); !done) return done;
  if (auto done = (*file)->datasync(); !done) return done;
  auto renamed = files_.rename(path(unfinished_name), path(segment_name(number)));
  if (!renamed) return renamed;
  if (auto done = files_.sync_directory(options_.directory); !done) return done;
  segment_ = std::move(*file);
  header_ = std::move(header);
  take_over({.sequence = durable_.sequence,
             .records = durable_.records,
             .offset = header_bytes,
             .hash = header_hash(encoded),
             .tree = {}});
  return ok();
}

std::size_t Journal::record_bytes_max() const {
  return options_.segment_bytes - header_bytes - frame_overhead_bytes;
}

bool Journal::fits(const Record& record) const {
  const std::size_t most = frame_overhead_bytes + record.session.size() + record.payload.size();
  return most <= options_.segment_bytes && added_.offset <= options_.segment_bytes - most;
}

void Journal::add(const Record& record, std::uint64_t sequence) {
  SALLYPORT_CHECK(sequence ==
                  (added_.tree.size() == 0 ? header_.first_sequence : added_.sequence + 1));
  const std::size_t before = buffer_.size();
  append_frame(buffer_, record, sequence);
  added_.offset += buffer_.size() - before;
  added_.sequence = sequence;
  ++added_.records;
  std::copy_n(buffer_.end() - digest_bytes, digest_bytes, added_.hash.begin());
  added_.tree.add(added_.hash);
}

Result<void> Journal::write() {
  const Bytes frames = Bytes(buffer_).subspan(digest_bytes);
  if (auto done = write_all(*segment_, frames, write_offset_); !done) return done;
  bytes_written_ += frames.size();
  write_offset_ = added_.offset;
  buffer_.assign(added_.hash.begin(), added_.hash.end());
  return ok();
}

Journal::State Journal::written() const {
  SALLYPORT_CHECK(write_offset_ == added_.offset);
  return added_;
}

Result<void> Journal::sync() {
  State state = written();
  if (auto done = sync_file(); !done) return done;
  synced(std::move(state));
  return ok();
}

// Early enough to be done in time, and not before a quarter of this one is used: a log of a few
// records does not need two files.
void Journal::prepare_next_segment() {
  const bool filling =
      durable_.offset - header_bytes >= (options_.segment_bytes - header_bytes) / 4;
  if (filling || clock_.now() - header_.created >= options_.segment_age_max / 2) spare_.prepare();
}

void Journal::synced(State state) {
  durable_ = std::move(state);
  prepare_next_segment();
}

bool Journal::signed_is(const State& state) const {
  return newest_ && newest_->segment == header_.number && newest_->sequence == state.sequence &&
         newest_->hash == state.hash;
}

Result<void> Journal::checkpoint(std::string_view kind) {
  Checkpoint next;
  next.tenant = options_.tenant;
  next.node = options_.node;
  next.number = newest_ ? newest_->number + 1 : 0;
  next.kind = kind;
  next.segment = header_.number;
  next.sequence = durable_.sequence;
  next.records = durable_.records;
  next.time = clock_.now();
  next.hash = durable_.hash;
  next.root = durable_.tree.root();
  next.previous = checkpoint_line_;
  const std::string line = encode_checkpoint(next, *key_);
  const std::string text = line + '\n';
  auto done = write_all(*checkpoints_, as_bytes(text), checkpoints_bytes_);
  if (!done) return done;
  if (done = checkpoints_->datasync(); !done) return done;
  checkpoints_bytes_ += text.size();
  checkpoint_line_ = digest_of_line(line);
  newest_ = std::move(next);
  return ok();
}

Result<void> Journal::seal(std::uint64_t first_sequence) {
  SALLYPORT_CHECK(durable_.offset == added_.offset);
  if (auto done = checkpoint("seal"); !done) return done;
  const std::shared_ptr<File> sealed = std::move(segment_);
  const std::uint64_t used = durable_.offset;
  if (auto done = begin_segment(header_.number + 1, first_sequence); !done) return done;
  // Only to give back space: the sealed segment is as good with its zeros.
  if (auto done = sealed->truncate(used); !done) {
    log::warn("ledger segment not shortened", {{"why", done.error().detail}});
  }
  return ok();
}

// What was acknowledged must still be there, byte by byte, before anything is built on it.
Result<void> Journal::reread_durable() {
  auto bytes = read_from(*segment_, 0, segment_bytes_max);
  if (!bytes) return fail(bytes);
  if (bytes->size() < durable_.offset) return fail(Errc::io, "the segment is too short");
  auto scanner = SegmentScanner::open(Bytes(*bytes).first(durable_.offset));
  if (!scanner) return fail(scanner);
  MerkleTree tree;
  while (true) {
    const auto frame = scanner->next();
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) break;
    tree.add((*frame)->hash);
  }
  if (scanner->hash() != durable_.hash || tree.root() != durable_.tree.root()) {
    return fail(Errc::io, "acknowledged records are not on the disk any more");
  }
  return ok();
}

Result<void> Journal::recover(std::uint64_t next_sequence, std::string_view problem) {
  spare_.discard();
  // New descriptors: the old ones have reported their error and may not report it again.
  auto segment = files_.open(path(segment_name(header_.number)), OpenMode::write);
  if (!segment) return fail(segment);
  segment_ = std::move(*segment);
  auto checkpoints = files_.open(path(checkpoints_name), OpenMode::write);
  if (!checkpoints) return fail(checkpoints);
  checkpoints_ = std::move(*checkpoints);

  if (auto done = reread_durable(); !done) return done;
  take_over(State(durable_));
  if (auto done = segment_->truncate(durable_.offset); !done) return done;
  if (auto done = segment_->datasync(); !done) return done;
  if (auto done = checkpoints_->truncate(checkpoints_bytes_); !done) return done;
  if (auto done = checkpoints_->datasync(); !done) return done;
  if (!signed_is(durable_) || newest_->kind != "seal") {
    if (auto done = checkpoint("seal"); !done) return done;
  }
  const std::uint64_t lost_from = durable_.sequence + 1;
  if (auto done = begin_segment(header_.number + 1, next_sequence); !done) return done;
  std::string detail = fmt::format("the log failed ({}) and goes on", problem);
  if (lost_from < next_sequence) {
    detail += fmt::format("; records {} to {} were never acknowledged and are not in it", lost_from,
                          next_sequence - 1);
  }
  return note_recovery(next_sequence, detail);
}

}  // namespace sallyport::ledger
