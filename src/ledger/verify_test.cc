#include "ledger/verify.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ledger/journal.h"
#include "ledger/testing.h"

namespace sallyport::ledger {
namespace {

constexpr std::uint64_t records_per_segment = 3;

std::array<std::byte, 32> key_in(const std::filesystem::path& directory) {
  const auto key = ed25519_public_from_pem(slurp(directory / public_key_name));
  EXPECT_TRUE(key);
  return *key;
}

// Three segments of three records each, the last one signed after its second record.
class VerifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Options options{.directory = log_, .segment_bytes = segment_bytes_min};
    auto journal = Journal::open(options, system_files(), system_clock());
    ASSERT_TRUE(journal) << journal.error().detail;
    for (std::uint64_t n = 1; n <= 3 * records_per_segment; ++n) {
      (*journal)->add({.kind = RecordKind::command,
                       .session = "s1",
                       .payload = fmt::format(R"({{"n":{}}})", n)},
                      n);
      ASSERT_TRUE((*journal)->write());
      ASSERT_TRUE((*journal)->sync());
      if (n == 8) ASSERT_TRUE((*journal)->checkpoint("periodic"));
      if (n == 3 || n == 6) ASSERT_TRUE((*journal)->seal(n + 1));
    }
    journal->reset();
    key_ = key_in(log_);
    for (int i = 0; i < 3; ++i) segments_.push_back(slurp(log_ / segment_name(i)));
    checkpoints_ = slurp(log_ / checkpoints_name);
  }

  Verification run(std::optional<std::string> head = std::nullopt) {
    auto verified =
        verify(log_, key_, std::move(head), system_files(), std::chrono::milliseconds(0));
    EXPECT_TRUE(verified) << verified.error().detail;
    return *verified;
  }
  void put_back() {
    for (int i = 0; i < 3; ++i) spill(log_ / segment_name(i), segments_[i]);
    spill(log_ / checkpoints_name, checkpoints_);
  }
  // Frames of a segment as byte strings.
  static std::vector<std::string> frames_of(const std::string& segment) {
    std::vector<std::string> frames;
    auto scanner = SegmentScanner::open(as_bytes(segment));
    EXPECT_TRUE(scanner);
    while (true) {
      const std::uint64_t from = scanner->offset();
      const auto frame = scanner->next();
      EXPECT_TRUE(frame);
      if (!frame || !*frame) return frames;
      frames.push_back(segment.substr(from, (*frame)->size));
    }
  }
  static std::string segment_of(const std::string& old, const std::vector<std::string>& frames) {
    std::string bytes = old.substr(0, header_bytes);
    for (const std::string& frame : frames) bytes += frame;
    bytes.resize(std::max(bytes.size(), old.size()), '\0');
    return bytes;
  }
  std::vector<std::string> checkpoint_lines() const {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < checkpoints_.size();) {
      const std::size_t end = checkpoints_.find('\n', at);
      lines.push_back(checkpoints_.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }

  TemporaryDirectory directory_;
  std::filesystem::path log_ = directory_ / "log";
  std::array<std::byte, 32> key_{};
  std::vector<std::string> segments_;
  std::string checkpoints_;
};

TEST_F(VerifyTest, FindsAGoodLogGoodAndSaysWhatIsNotCovered) {
  const Verification verified = run();
  EXPECT_TRUE(verified.good()) << verified.problems.front().to_string();
  EXPECT_EQ(verified.records, 9U);
  EXPECT_EQ(verified.segments, 3U);
  EXPECT_EQ(verified.signed_sequence, 8U);
  ASSERT_EQ(verified.notices.size(), 1U);
  EXPECT_NE(verified.notices[0].find("9 to 9 are not yet covered"), std::string::npos);
}

TEST_F(VerifyTest, FindsEveryChangedByteOfASegmentAndSaysWhere) {
  for (int i = 0; i < 3; ++i) {
    std::string bytes = segments_[i];
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      // Zeros behind the records are many and alike: a sample of them will do.
      const bool padding = segments_[i].find_first_not_of('\0', at) == std::string::npos ||
                           (at > 400 && at < header_bytes - 32);
      if (padding && at % 61 != 0) continue;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
      spill(log_ / segment_name(i), bytes);
      const Verification verified = run();
      ASSERT_FALSE(verified.good()) << segment_name(i) << ":" << at;
      EXPECT_EQ(verified.problems.front().file, segment_name(i)) << at;
      EXPECT_LE(verified.problems.front().offset, at);
      bytes[at] = segments_[i][at];
    }
    put_back();
  }
}

TEST_F(VerifyTest, FindsEveryChangedByteOfTheCheckpoints) {
  std::string bytes = checkpoints_;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 7)));
    spill(log_ / checkpoints_name, bytes);
    ASSERT_FALSE(run().good()) << at;
    bytes[at] = checkpoints_[at];
  }
}

TEST_F(VerifyTest, FindsEverySwapAndEveryRemovalOfRecords) {
  for (int i = 0; i < 3; ++i) {
    const auto frames = frames_of(segments_[i]);
    ASSERT_EQ(frames.size(), records_per_segment);
    for (std::size_t a = 0; a < frames.size(); ++a) {
      for (std::size_t b = a; b < frames.size(); ++b) {
        auto changed = frames;
        if (a == b) {
          changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(a));
        } else {
          std::swap(changed[a], changed[b]);
        }
        // The very last record is not covered yet, so that it went cannot be known.
        if (i == 2 && a == 2 && b == 2) continue;
        spill(log_ / segment_name(i), segment_of(segments_[i], changed));
        EXPECT_FALSE(run().good()) << i << " " << a << " " << b;
      }
    }
    put_back();
  }
}

// Someone who can compute hashes but has no key writes the whole rest of the chain anew.
TEST_F(VerifyTest, FindsAForgedChain) {
  for (int forged = 0; forged < 3; ++forged) {
    ByteVector bytes;
    append(bytes, std::string_view(segments_[forged]).substr(0, header_bytes));
    for (std::uint64_t n = 0; n < records_per_segment; ++n) {
      append_frame(bytes, {.kind = RecordKind::command, .session = "s1", .payload = R"({"n":0})"},
                   static_cast<std::uint64_t>(forged) * records_per_segment + n + 1);
    }
    std::string text(as_text(bytes));
    text.resize(std::max(text.size(), segments_[forged].size()), '\0');
    spill(log_ / segment_name(forged), text);
    const Verification verified = run();
    ASSERT_FALSE(verified.good());
    EXPECT_NE(verified.problems.front().what.find("signed"), std::string::npos);
    put_back();
  }
}

TEST_F(VerifyTest, FindsMissingSegments) {
  for (int i = 0; i < 3; ++i) {
    std::filesystem::remove(log_ / segment_name(i));
    EXPECT_FALSE(run().good()) << i;
    put_back();
  }
  std::filesystem::remove(log_ / segment_name(1));
  std::filesystem::remove(log_ / segment_name(2));
  EXPECT_FALSE(run().good());
}

TEST_F(VerifyTest, FindsSwappedSegments) {
  spill(log_ / segment_name(0), segments_[1]);
  spill(log_ / segment_name(1), segments_[0]);
  EXPECT_FALSE(run().good());
}

TEST_F(VerifyTest, FindsMissingCheckpoints) {
  const auto lines = checkpoint_lines();
  ASSERT_EQ(lines.size(), 4U);  // start, two seals, periodic
  const std::string& head = lines.back();
  for (std::size_t gone = 0; gone < lines.size(); ++gone) {
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i != gone) text += lines[i] + "\n";
    }
    spill(log_ / checkpoints_name, text);
    const bool last = gone + 1 == lines.size();
    EXPECT_EQ(run().good(), last) << gone;  // the last one's absence only a kept head can show
    EXPECT_FALSE(run(head).good()) << gone;
  }
  spill(log_ / checkpoints_name, "");
  EXPECT_FALSE(run().good());
  std::filesystem::remove(log_ / checkpoints_name);
  EXPECT_FALSE(run().good());
}

TEST_F(VerifyTest, FindsTruncationBelowAKeptHead) {
  const std::string head = checkpoint_lines().back();
  EXPECT_TRUE(run(head).good());
  EXPECT_TRUE(run(head + "\n").good());
  // Back to just after the second seal, consistently.
  const auto lines = checkpoint_lines();
  spill(log_ / checkpoints_name, lines[0] + "\n" + lines[1] + "\n" + lines[2] + "\n");
  spill(log_ / segment_name(2), segment_of(segments_[2], {}));
  EXPECT_TRUE(run().good());
  const Verification verified = run(head);
  ASSERT_FALSE(verified.good());
  EXPECT_NE(verified.problems.front().what.find("truncated"), std::string::npos);
}

TEST_F(VerifyTest, FindsTruncationBelowTheLastCheckpoint) {
  const auto frames = frames_of(segments_[2]);
  spill(log_ / segment_name(2), segment_of(segments_[2], {frames[0]}));
  const Verification verified = run();
  ASSERT_FALSE(verified.good());
  EXPECT_NE(verified.problems.front().what.find("truncated"), std::string::npos);
}

TEST_F(VerifyTest, TrustsTheGivenKeyOnly) {
  key_ = Ed25519Key::generate().public_bytes();
  EXPECT_FALSE(run().good());
}

// The whole log written anew under another key, as a thief of the storage might.
TEST_F(VerifyTest, FindsALogUnderAnotherKey) {
  const auto forged = directory_ / "forged";
  Options options{.directory = forged, .segment_bytes = segment_bytes_min};
  ASSERT_TRUE(Journal::open(options, system_files(), system_clock()));
  const auto verified = verify(forged, key_, std::nullopt, system_files());
  ASSERT_TRUE(verified);
  EXPECT_FALSE(verified->good());
}

}  // namespace
}  // namespace sallyport::ledger
