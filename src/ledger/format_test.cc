#include "ledger/format.h"

#include <gtest/gtest.h>

namespace sallyport::ledger {
namespace {

Digest leaf(std::uint64_t n) {
  ByteVector bytes;
  append_u64(bytes, n);
  return sha256(bytes);
}

TEST(Merkle, AgreesWithRfc6962ForKnownTrees) {
  // The root of the empty tree, and of one leaf: SHA-256(0x00 || leaf).
  EXPECT_EQ(to_hex(MerkleTree().root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  MerkleTree one;
  one.add(leaf(1));
  ByteVector text{std::byte{0}};
  append(text, leaf(1));
  EXPECT_EQ(one.root(), sha256(text));
}

TEST(Merkle, EveryPathLeadsToTheRootAndNoOtherLeafDoes) {
  std::vector<Digest> leaves;
  MerkleTree tree;
  for (std::uint64_t size = 1; size <= 33; ++size) {
    leaves.push_back(leaf(size));
    tree.add(leaves.back());
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const auto path = merkle_path(leaves, i);
      const auto root = merkle_root_by_path(leaves[i], i, size, path);
      ASSERT_TRUE(root) << size << " " << i;
      EXPECT_EQ(*root, tree.root());
      const auto other = merkle_root_by_path(leaf(99), i, size, path);
      ASSERT_TRUE(other);
      EXPECT_NE(*other, tree.root());
      auto longer = path;
      longer.push_back(leaf(0));
      EXPECT_FALSE(merkle_root_by_path(leaves[i], i, size, longer));
      if (!path.empty()) {
        EXPECT_FALSE(
            merkle_root_by_path(leaves[i], i, size, std::span(path).first(path.size() - 1)));
      }
    }
  }
  EXPECT_FALSE(merkle_root_by_path(leaf(1), 1, 1, {}));
}

TEST(Frame, ComesBackAsItWasSmallAndLarge) {
  for (const std::size_t size : {0UL, 10UL, 4096UL, 4097UL, 200000UL}) {
    ByteVector bytes(digest_bytes);
    const Record record{.kind = RecordKind::outcome,
                        .session = "abc",
                        .payload = std::string(size, 'x'),
                        .time = WallTime(std::chrono::microseconds(1234567))};
    append_frame(bytes, record, 42);
    const auto frame = decode_frame(bytes);
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->sequence, 42U);
    EXPECT_EQ((*frame)->kind, record.kind);
    EXPECT_EQ((*frame)->session, "abc");
    EXPECT_EQ((*frame)->time, record.time);
    EXPECT_EQ((*frame)->size + digest_bytes, bytes.size());
    EXPECT_EQ((*frame)->compressed, size > compress_above_bytes);
    const auto payload = payload_of(**frame);
    ASSERT_TRUE(payload);
    EXPECT_EQ(*payload, record.payload);
  }
}

TEST(Frame, IsBoundToTheOneBefore) {
  ByteVector bytes(digest_bytes);
  append_frame(bytes, {.payload = "{}"}, 1);
  bytes[0] = std::byte{1};
  EXPECT_FALSE(decode_frame(bytes));
}

TEST(Frame, RefusesALengthBehindTheEnd) {
  ByteVector bytes(digest_bytes);
  append_frame(bytes, {.payload = "{}"}, 1);
  for (std::size_t i = 4; i < 8; ++i) bytes[digest_bytes + i] = std::byte{0xFF};
  const auto frame = decode_frame(bytes);
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, Errc::malformed);
}

TEST(CheckpointLine, ComesBackAndIsStrict) {
  const auto key = Ed25519Key::generate();
  Checkpoint checkpoint;
  checkpoint.tenant = "acme";
  checkpoint.node = "a-1";
  checkpoint.number = 7;
  checkpoint.kind = "seal";
  checkpoint.sequence = 99;
  checkpoint.hash = leaf(1);
  const std::string line = encode_checkpoint(checkpoint, key);
  const auto back = decode_checkpoint(line, key.public_bytes());
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(back->sequence, 99U);
  EXPECT_EQ(back->hash, checkpoint.hash);
  EXPECT_EQ(back->kind, "seal");
  EXPECT_FALSE(decode_checkpoint(line + " ", key.public_bytes()));
  EXPECT_FALSE(decode_checkpoint(line, Ed25519Key::generate().public_bytes()));
  for (std::size_t size = 0; size < line.size(); ++size) {
    EXPECT_FALSE(decode_checkpoint(line.substr(0, size), key.public_bytes())) << size;
  }
}

TEST(SegmentName, IsReadStrictly) {
  EXPECT_EQ(segment_number("segment-000000000012.seg"), 12U);
  EXPECT_FALSE(segment_number("segment-12.seg"));
  EXPECT_FALSE(segment_number("segment-000000000012"));
  EXPECT_FALSE(segment_number("segment.new"));
}

}  // namespace
}  // namespace sallyport::ledger
