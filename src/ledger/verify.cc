#include "ledger/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace sallyport::ledger {
namespace {

constexpr std::size_t checkpoints_bytes_max = std::size_t{1} << 30;
constexpr int listing_retries = 20;
constexpr int torn_retries = 20;

struct SignedLine {
  Checkpoint checkpoint;
  Digest digest{};
  std::uint64_t offset = 0;
  std::string text;
};

Result<std::vector<std::uint64_t>> list_segments(const std::filesystem::path& directory,
                                                 FileLayer& files) {
  auto names = files.list(directory);
  if (!names) return fail(names);
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : *names) {
    if (const auto number = segment_number(name)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

// One run over a directory. The chain is walked once; each checkpoint is compared with the state of
// the chain at the point it names.
class Verifier {
 public:
  Verifier(const std::filesystem::path& directory, const std::array<std::byte, 32>& key,
           FileLayer& files, std::chrono::milliseconds torn_patience)
      : directory_(directory), key_(key), files_(files), torn_patience_(torn_patience) {}

  Result<Verification> run(const std::optional<std::string>& expected_head);

 private:
  Result<std::vector<std::uint64_t>> snapshot();
  void read_checkpoints(std::string_view text);
  bool read_checkpoint(std::string_view line, std::uint64_t offset);
  void check_head(std::string_view line);
  bool walk_segment(std::uint64_t number, bool last);
  bool walk_bytes(Bytes bytes, bool last);
  bool check_header(const SegmentHeader& header);
  bool meet_checkpoints(const SegmentScanner& scanner, const MerkleTree& tree);
  bool problem(std::string file, std::uint64_t offset, std::uint64_t sequence, std::string what);
  void conclude(bool whole);

  const std::filesystem::path& directory_;
  const std::array<std::byte, 32>& key_;
  FileLayer& files_;
  const std::chrono::milliseconds torn_patience_;

  std::string checkpoints_text_;
  std::vector<SignedLine> lines_;
  std::size_t met_ = 0;  // so many of lines_ agreed with the chain
  std::string file_;     // the segment at hand
  std::uint64_t number_ = 0;
  Digest hash_{};              // the chain's, at the end of the previous segment
  std::uint64_t records_ = 0;  // in the previous segments
  Verification result_;
};

bool Verifier::problem(std::string file, std::uint64_t offset, std::uint64_t sequence,
                       std::string what) {
  result_.problems.push_back({std::move(file), offset, sequence, std::move(what)});
  return false;
}

// The names of the segments and the checkpoints as they were at one moment, so that a segment that
// is sealed meanwhile is not taken for one without its checkpoint.
Result<std::vector<std::uint64_t>> Verifier::snapshot() {
  for (int i = 0; i < listing_retries; ++i) {
    auto before = list_segments(directory_, files_);
    if (!before) return before;
    auto text = read_text(files_, directory_ / checkpoints_name, checkpoints_bytes_max);
    auto after = list_segments(directory_, files_);
    if (!after) return after;
    if (*before != *after) continue;
    if (text) checkpoints_text_ = std::move(*text);
    // A line that is being written is whole in a moment.
    if (text && !checkpoints_text_.ends_with('\n') && i + 1 < listing_retries) {
      std::this_thread::sleep_for(torn_patience_ / 4);
      continue;
    }
    return before;
  }
  return fail(Errc::unavailable, "the ledger changes too fast to be read");
}

bool Verifier::read_checkpoint(std::string_view line, std::uint64_t offset) {
  auto checkpoint = decode_checkpoint(line, key_);
  if (!checkpoint) {
    return problem(
        std::string(checkpoints_name), offset, 0,
        "checkpoint " + std::to_string(lines_.size()) + ": " + checkpoint.error().detail);
  }
  const bool first = lines_.empty();
  const Digest previous = first ? Digest{} : lines_.back().digest;
  if (checkpoint->number != lines_.size() || checkpoint->previous != previous) {
    return problem(std::string(checkpoints_name), offset, checkpoint->sequence,
                   fmt::format("checkpoint {} does not follow the one before it: a checkpoint was "
                               "removed, moved or replaced",
                               checkpoint->number));
  }
  if (!first && (checkpoint->tenant != lines_.back().checkpoint.tenant ||
                 checkpoint->node != lines_.back().checkpoint.node)) {
    return problem(std::string(checkpoints_name), offset, 0, "a checkpoint of another ledger");
  }
  lines_.push_back({std::move(*checkpoint), digest_of_line(line), offset, std::string(line)});
  return true;
}

void Verifier::read_checkpoints(std::string_view text) {
  std::uint64_t offset = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      problem(std::string(checkpoints_name), offset, 0,
              "the last checkpoint is not whole: either it was changed, or the gateway was killed "
              "while it wrote it and has not been started since");
      return;
    }
    if (!read_checkpoint(text.substr(0, end), offset)) return;
    text.remove_prefix(end + 1);
    offset += end + 1;
  }
  if (lines_.empty()) {
    problem(std::string(checkpoints_name), 0, 0, "there is no checkpoint: nothing can be trusted");
  }
}

void Verifier::check_head(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  const auto head = decode_checkpoint(line, key_);
  if (!head) {
    problem("head", 0, 0, "the given head: " + head.error().detail);
    return;
  }
  if (head->number >= lines_.size()) {
    problem(std::string(checkpoints_name), checkpoints_text_.size(), head->sequence,
            fmt::format("the given head is checkpoint {} and the log has only {}: it was truncated",
                        head->number, lines_.size()));
  } else if (lines_[head->number].text != line) {
    problem(std::string(checkpoints_name), lines_[head->number].offset, head->sequence,
            "the given head is not in this log: another history was put in its place");
  }
}

bool Verifier::check_header(const SegmentHeader& header) {
  const auto wrong = [&](std::string what) { return problem(file_, 0, 0, std::move(what)); };
  if (header.number != number_) return wrong("the header names another segment");
  if (header.public_key != key_) return wrong("the segment was written under another key");
  if (header.previous_hash != hash_ || header.previous_sequence != result_.last_sequence ||
      header.previous_records != records_) {
    return wrong("the segment does not follow the one before it");
  }
  if (number_ == 0) {
    result_.tenant = header.tenant;
    result_.node = header.node;
  } else if (header.tenant != result_.tenant || header.node != result_.node) {
    return wrong("the segment belongs to another ledger");
  }
  if (header.checkpoint != (met_ == 0 ? Digest{} : lines_[met_ - 1].digest)) {
    return wrong("the segment does not follow the newest checkpoint before it");
  }
  if (header.first_sequence != header.previous_sequence + 1) {
    result_.notices.push_back(fmt::format(
        "{}: records {} to {} were lost at a failure of the disk; they were never acknowledged",
        file_, header.previous_sequence + 1, header.first_sequence - 1));
  }
  return true;
}

// Compares the checkpoints that speak of exactly this point of the chain.
bool Verifier::meet_checkpoints(const SegmentScanner& scanner, const MerkleTree& tree) {
  while (met_ < lines_.size()) {
    const Checkpoint& next = lines_[met_].checkpoint;
    const bool here = next.segment == number_ && next.sequence == scanner.sequence();
    if (!here) return true;
    if (next.hash != scanner.hash() || next.root != tree.root() ||
        next.records != records_ + scanner.records() || next.tenant != result_.tenant ||
        next.node != result_.node) {
      return problem(file_, scanner.offset(), scanner.sequence(),
                     fmt::format("the records up to here are not those that checkpoint {} signed",
                                 next.number));
    }
    result_.signed_sequence = next.sequence;
    ++met_;
    // A sealed segment ends here, and the header of the next names this line.
    if (next.kind == "seal") return true;
  }
  return true;
}

bool Verifier::walk_bytes(Bytes bytes, bool last) {
  auto scanner = SegmentScanner::open(bytes);
  if (!scanner) return problem(file_, 0, 0, scanner.error().detail);
  if (!check_header(scanner->header())) return false;
  if (bytes.size() > scanner->header().segment_bytes) {
    return problem(file_, scanner->header().segment_bytes, 0, "bytes were added to the segment");
  }
  MerkleTree tree;
  if (!meet_checkpoints(*scanner, tree)) return false;
  while (true) {
    const std::uint64_t at = scanner->offset();
    const auto frame = scanner->next();
    if (!frame) {
      return problem(file_, at,
                     tree.size() == 0 ? scanner->header().first_sequence : scanner->sequence() + 1,
                     frame.error().detail);
    }
    if (!*frame) break;
    if (const auto payload = payload_of(**frame); !payload) {
      return problem(file_, at, scanner->sequence(), payload.error().detail);
    }
    tree.add((*frame)->hash);
    if (!meet_checkpoints(*scanner, tree)) return false;
  }
  if (const auto stray = scanner->stray_byte()) {
    return problem(file_, *stray, scanner->sequence() + 1,
                   "bytes after the last record: either they were changed, or the gateway was "
                   "killed while it wrote them and has not been started since");
  }
  const bool sealed = met_ > 0 && lines_[met_ - 1].checkpoint.kind == "seal" &&
                      lines_[met_ - 1].checkpoint.segment == number_ &&
                      lines_[met_ - 1].checkpoint.sequence == scanner->sequence();
  if (!last && !sealed) {
    return problem(
        file_, scanner->offset(), scanner->sequence(),
        "no checkpoint seals the end of this segment: records or checkpoints are missing");
  }
  hash_ = scanner->hash();
  records_ += scanner->records();
  result_.last_sequence = scanner->sequence();
  result_.records = records_;
  return true;
}

bool Verifier::walk_segment(std::uint64_t number, bool last) {
  file_ = segment_name(number);
  number_ = number;
  const std::size_t met = met_;
  const Verification before = result_;
  for (int attempt = 0;; ++attempt) {
    auto file = files_.open(directory_ / file_, OpenMode::read);
    if (!file) return problem(file_, 0, 0, file.error().detail);
    auto bytes = read_from(**file, 0, segment_bytes_max);
    if (!bytes) return problem(file_, 0, 0, bytes.error().detail);
    if (walk_bytes(*bytes, last)) return true;
    // The gateway may be writing the last records right now.
    auto again = (*file)->size();
    auto reread = again ? read_from(**file, 0, segment_bytes_max) : fail(again);
    if (!last || !reread || attempt >= torn_retries) return false;
    for (int i = 0; i < 4 && *reread == *bytes; ++i) {
      std::this_thread::sleep_for(torn_patience_ / 4);
      reread = read_from(**file, 0, segment_bytes_max);
      if (!reread) return false;
    }
    if (*reread == *bytes) return false;  // nobody is writing
    result_ = before;
    met_ = met;
  }
}

void Verifier::conclude(bool whole) {
  result_.checkpoints = lines_.size();
  if (!lines_.empty()) result_.head = lines_.back().checkpoint;
  if (!whole || !result_.good()) return;
  if (met_ < lines_.size()) {
    const SignedLine& missing = lines_[met_];
    problem(
        file_, 0, result_.last_sequence + 1,
        fmt::format("checkpoint {} signed records up to {} in {}, and the log ends at {}: it was "
                    "truncated",
                    missing.checkpoint.number, missing.checkpoint.sequence,
                    segment_name(missing.checkpoint.segment), result_.last_sequence));
    return;
  }
  if (result_.last_sequence > result_.signed_sequence) {
    result_.notices.push_back(fmt::format(
        "records {} to {} are not yet covered by a checkpoint: their chain is whole, but "
        "nothing signed says that none is missing behind them",
        result_.signed_sequence + 1, result_.last_sequence));
  }
}

Result<Verification> Verifier::run(const std::optional<std::string>& expected_head) {
  auto numbers = snapshot();
  if (!numbers) return fail(numbers);
  if (numbers->empty() && checkpoints_text_.empty()) {
    return fail(Errc::invalid, directory_.string() + ": no ledger here");
  }
  read_checkpoints(checkpoints_text_);
  if (expected_head) check_head(*expected_head);
  bool whole = true;
  for (std::size_t i = 0; i < numbers->size() && whole; ++i) {
    if ((*numbers)[i] != i) {
      whole = problem(segment_name(i), 0, result_.last_sequence + 1, "the segment is missing");
      break;
    }
    whole = walk_segment(i, i + 1 == numbers->size());
    result_.segments = i + 1;
  }
  conclude(whole);
  return std::move(result_);
}

}  // namespace

std::string Finding::to_string() const {
  std::string text = file + ":" + std::to_string(offset) + ": ";
  if (sequence != 0) text += "record " + std::to_string(sequence) + ": ";
  return text + what;
}

Result<Verification> verify(const std::filesystem::path& directory,
                            const std::array<std::byte, 32>& public_key,
                            std::optional<std::string> expected_head, FileLayer& files,
                            std::chrono::milliseconds torn_patience) {
  return Verifier(directory, public_key, files, torn_patience).run(expected_head);
}

Result<std::string> newest_head(const std::filesystem::path& directory, FileLayer& files) {
  auto text = read_text(files, directory / checkpoints_name, checkpoints_bytes_max);
  if (!text) return fail(text);
  const std::size_t end = text->rfind('\n');
  if (end == std::string::npos) return fail(Errc::malformed, "there is no checkpoint");
  text->resize(end);
  return text->substr(text->rfind('\n') + 1);
}

}  // namespace sallyport::ledger
