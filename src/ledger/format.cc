#include "ledger/format.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/numbers.h"

namespace sallyport::ledger {
namespace {

constexpr std::string_view segment_magic = "SLYLEDG1";
constexpr std::uint32_t frame_mark = 0x53524543;  // "SREC"
constexpr std::uint8_t flag_zstd = 1;
constexpr std::size_t names_offset = 192;
constexpr std::size_t header_hash_offset = header_bytes - digest_bytes;

// Writes big-endian integers and bytes one after another into a buffer that is large enough.
class Cursor {
 public:
  explicit Cursor(std::byte* at) : at_(at) {}

  template <std::unsigned_integral T>
  void number(T value) {
    for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8) {
      *at_++ = static_cast<std::byte>(value >> shift);
    }
  }
  void bytes(Bytes data) { at_ = std::copy(data.begin(), data.end(), at_); }

 private:
  std::byte* at_;
};

std::uint64_t micros(WallTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}
WallTime wall(std::uint64_t micros_since_epoch) {
  return WallTime(std::chrono::microseconds(static_cast<std::int64_t>(micros_since_epoch)));
}

Digest digest_at(Bytes bytes) {
  Digest digest;
  std::copy_n(bytes.begin(), digest.size(), digest.begin());
  return digest;
}

bool all_zero(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

Digest hash_pair(const Digest& left, const Digest& right) {
  std::array<std::byte, 65> text;
  text[0] = std::byte{1};
  std::ranges::copy(left, text.begin() + 1);
  std::ranges::copy(right, text.begin() + 33);
  return sha256(text);
}

Digest hash_leaf(const Digest& leaf) {
  std::array<std::byte, 33> text;
  text[0] = std::byte{0};
  std::ranges::copy(leaf, text.begin() + 1);
  return sha256(text);
}

// The payload as it is stored: compressed if it is large and that helps, else empty.
ByteVector compressed(std::string_view payload) {
  if (payload.size() <= compress_above_bytes) return {};
  ByteVector out(payload.size());
  const std::size_t size = ZSTD_compress(out.data(), out.size(), payload.data(), payload.size(), 1);
  if (ZSTD_isError(size) != 0) return {};  // would not become smaller
  out.resize(size);
  return out;
}

}  // namespace

bool valid_name(std::string_view name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, good);
}

Digest header_hash(Bytes header) {
  return sha256(header.first(header_hash_offset));
}

ByteVector encode_header(const SegmentHeader& header) {
  SALLYPORT_CHECK(valid_name(header.tenant) && valid_name(header.node));
  ByteVector bytes(header_bytes);
  Cursor at(bytes.data());
  at.bytes(as_bytes(segment_magic));
  at.number(std::uint32_t{1});
  at.number(std::uint32_t{header_bytes});
  at.number(header.segment_bytes);
  at.number(header.number);
  at.number(header.first_sequence);
  at.number(header.previous_sequence);
  at.number(header.previous_records);
  at.number(micros(header.created));
  at.bytes(header.previous_hash);
  at.bytes(header.checkpoint);
  at.bytes(header.public_key);
  Cursor names(bytes.data() + names_offset);
  for (const std::string& name : {header.tenant, header.node}) {
    names.number(static_cast<std::uint8_t>(name.size()));
    names.bytes(as_bytes(name));
  }
  std::ranges::copy(header_hash(bytes), bytes.begin() + header_hash_offset);
  return bytes;
}

Result<SegmentHeader> decode_header(Bytes bytes) {
  if (bytes.size() < header_bytes) return fail(Errc::malformed, "shorter than a segment header");
  bytes = bytes.first(header_bytes);
  if (as_text(bytes.first(8)) != segment_magic) return fail(Errc::malformed, "not a segment");
  if (!std::ranges::equal(header_hash(bytes), bytes.subspan(header_hash_offset))) {
    return fail(Errc::malformed, "the header does not match its hash");
  }
  if (read_u32(bytes.subspan(8)) != 1) return fail(Errc::malformed, "unknown segment version");
  SegmentHeader header;
  header.segment_bytes = read_u64(bytes.subspan(16));
  header.number = read_u64(bytes.subspan(24));
  header.first_sequence = read_u64(bytes.subspan(32));
  header.previous_sequence = read_u64(bytes.subspan(40));
  header.previous_records = read_u64(bytes.subspan(48));
  header.created = wall(read_u64(bytes.subspan(56)));
  header.previous_hash = digest_at(bytes.subspan(64));
  header.checkpoint = digest_at(bytes.subspan(96));
  header.public_key = digest_at(bytes.subspan(128));
  std::size_t at = names_offset;
  for (std::string* name : {&header.tenant, &header.node}) {
    const auto size = std::to_integer<std::size_t>(bytes[at]);
    *name = as_text(bytes.subspan(at + 1, size));
    if (!valid_name(*name)) return fail(Errc::malformed, "bad name in the segment header");
    at += 1 + size;
  }
  // Only one encoding of a header is good.
  if (header.previous_sequence >= header.first_sequence ||
      !std::ranges::equal(encode_header(header), bytes)) {
    return fail(Errc::malformed, "impossible segment header");
  }
  return header;
}

void append_frame(ByteVector& to, const Record& record, std::uint64_t sequence) {
  SALLYPORT_CHECK(to.size() >= digest_bytes && record.session.size() <= 255 &&
                  record.payload.size() <= plain_bytes_max);
  const ByteVector packed = compressed(record.payload);
  const Bytes stored = packed.empty() ? as_bytes(record.payload) : Bytes(packed);
  const std::size_t before = to.size() - digest_bytes;
  const std::size_t hashed =
      digest_bytes + frame_head_bytes + record.session.size() + stored.size();
  to.resize(before + hashed + digest_bytes);
  Cursor at(to.data() + before + digest_bytes);
  at.number(frame_mark);
  at.number(static_cast<std::uint32_t>(stored.size()));
  at.number(sequence);
  at.number(micros(record.time));
  at.number(static_cast<std::uint32_t>(record.payload.size()));
  at.number(static_cast<std::uint8_t>(record.kind));
  at.number(packed.empty() ? std::uint8_t{0} : flag_zstd);
  at.number(static_cast<std::uint8_t>(record.session.size()));
  at.number(std::uint8_t{0});
  at.bytes(as_bytes(record.session));
  at.bytes(stored);
  at.bytes(sha256(Bytes(to).subspan(before, hashed)));
}

Result<std::optional<Frame>> decode_frame(Bytes bytes) {
  SALLYPORT_CHECK(bytes.size() >= digest_bytes);
  const Bytes at = bytes.subspan(digest_bytes);
  if (at.size() < frame_overhead_bytes) {
    if (all_zero(at)) return std::nullopt;
    return fail(Errc::malformed, "the record is cut off");
  }
  const std::uint32_t mark = read_u32(at);
  if (mark == 0) return std::nullopt;
  if (mark != frame_mark) return fail(Errc::malformed, "no record begins here");
  const std::size_t stored_bytes = read_u32(at.subspan(4));
  const auto session_bytes = std::to_integer<std::size_t>(at[30]);
  const auto flags = std::to_integer<std::uint8_t>(at[29]);
  const std::size_t variable = stored_bytes + session_bytes;
  if (variable > at.size() - frame_overhead_bytes) {
    return fail(Errc::malformed, "the record is cut off");
  }
  const std::size_t hashed = digest_bytes + frame_head_bytes + variable;
  Frame frame;
  frame.hash = digest_at(bytes.subspan(hashed));
  if (sha256(bytes.first(hashed)) != frame.hash) {
    return fail(Errc::malformed, "the record does not match its hash and the record before it");
  }
  const auto kind = record_kind_from(std::to_integer<std::uint8_t>(at[28]));
  if (!kind || flags > flag_zstd || at[31] != std::byte{0}) {
    return fail(Errc::malformed, "unknown kind or flags of a record");
  }
  frame.sequence = read_u64(at.subspan(8));
  frame.time = wall(read_u64(at.subspan(16)));
  frame.plain_bytes = read_u32(at.subspan(24));
  frame.kind = *kind;
  frame.compressed = flags == flag_zstd;
  frame.session = as_text(at.subspan(frame_head_bytes, session_bytes));
  frame.stored = at.subspan(frame_head_bytes + session_bytes, stored_bytes);
  frame.size = frame_overhead_bytes + variable;
  if (!frame.compressed && frame.plain_bytes != stored_bytes) {
    return fail(Errc::malformed, "the record contradicts itself");
  }
  return frame;
}

Result<std::string> payload_of(const Frame& frame) {
  if (!frame.compressed) return std::string(as_text(frame.stored));
  if (frame.plain_bytes > plain_bytes_max) {
    return fail(Errc::too_large, "the record's payload is too large");
  }
  std::string plain(frame.plain_bytes, '\0');
  const std::size_t size =
      ZSTD_decompress(plain.data(), plain.size(), frame.stored.data(), frame.stored.size());
  if (ZSTD_isError(size) != 0 || size != plain.size()) {
    return fail(Errc::malformed, "the record's payload cannot be decompressed");
  }
  return plain;
}

void MerkleTree::add(const Digest& leaf) {
  full_.push_back(hash_leaf(leaf));
  // Each trailing one bit of the old size is a full subtree that the new leaf completes.
  for (std::uint64_t bits = size_; (bits & 1) != 0; bits >>= 1) {
    const Digest right = full_.back();
    full_.pop_back();
    full_.back() = hash_pair(full_.back(), right);
  }
  ++size_;
}

Digest MerkleTree::root() const {
  if (full_.empty()) return sha256({});
  Digest root = full_.back();
  for (std::size_t i = full_.size() - 1; i-- > 0;) root = hash_pair(full_[i], root);
  return root;
}

namespace {

Digest subtree_root(std::span<const Digest> leaves) {
  MerkleTree tree;
  for (const Digest& leaf : leaves) tree.add(leaf);
  return tree.root();
}

}  // namespace

std::vector<Digest> merkle_path(std::span<const Digest> leaves, std::size_t index) {
  SALLYPORT_CHECK(index < leaves.size());
  std::vector<Digest> path;
  while (leaves.size() > 1) {
    const std::size_t split = std::bit_floor(leaves.size() - 1);
    if (index < split) {
      path.push_back(subtree_root(leaves.subspan(split)));
      leaves = leaves.first(split);
    } else {
      path.push_back(subtree_root(leaves.first(split)));
      leaves = leaves.subspan(split);
      index -= split;
    }
  }
  std::ranges::reverse(path);
  return path;
}

Result<Digest> merkle_root_by_path(const Digest& leaf, std::uint64_t index, std::uint64_t size,
                                   std::span<const Digest> path) {
  if (index >= size) return fail(Errc::malformed, "the leaf is outside of the tree");
  Digest root = hash_leaf(leaf);
  std::uint64_t last = size - 1;
  for (const Digest& sibling : path) {
    if (last == 0) return fail(Errc::malformed, "the proof is too long");
    if ((index & 1) != 0 || index == last) {
      root = hash_pair(sibling, root);
      while ((index & 1) == 0 && index != 0) {
        index >>= 1;
        last >>= 1;
      }
    } else {
      root = hash_pair(root, sibling);
    }
    index >>= 1;
    last >>= 1;
  }
  if (last != 0) return fail(Errc::malformed, "the proof is too short");
  return root;
}

Result<SegmentScanner> SegmentScanner::open(Bytes segment) {
  auto header = decode_header(segment);
  if (!header) return fail(header);
  SegmentScanner scanner(segment);
  scanner.header_ = std::move(*header);
  scanner.hash_ = header_hash(segment);
  scanner.sequence_ = scanner.header_.previous_sequence;
  return scanner;
}

Result<std::optional<Frame>> SegmentScanner::next() {
  auto frame = decode_frame(segment_.subspan(offset_ - digest_bytes));
  if (!frame || !*frame) return frame;
  const std::uint64_t expected = records_ == 0 ? header_.first_sequence : sequence_ + 1;
  if ((*frame)->sequence != expected) {
    return fail(Errc::malformed, "sequence " + std::to_string((*frame)->sequence) + " where " +
                                     std::to_string(expected) + " belongs");
  }
  sequence_ = expected;
  ++records_;
  hash_ = (*frame)->hash;
  offset_ += (*frame)->size;
  return frame;
}

std::optional<std::uint64_t> SegmentScanner::stray_byte() const {
  for (std::uint64_t at = offset_; at < segment_.size(); ++at) {
    if (segment_[at] != std::byte{0}) return at;
  }
  return std::nullopt;
}

namespace {

constexpr std::string_view checkpoint_magic = "sallyport-checkpoint-1";
constexpr std::string_view signature_key = " signature=";

std::string unsigned_line(const Checkpoint& c) {
  return fmt::format(
      "{} tenant={} node={} number={} kind={} segment={} sequence={} records={} time={} hash={} "
      "root={} previous={}",
      checkpoint_magic, c.tenant, c.node, c.number, c.kind, c.segment, c.sequence, c.records,
      micros(c.time), to_hex(c.hash), to_hex(c.root), to_hex(c.previous));
}

// Takes " key=value" off the front of `rest`.
Result<std::string_view> take(std::string_view& rest, std::string_view key) {
  if (!rest.starts_with(' ') || !rest.substr(1).starts_with(key) ||
      !rest.substr(1 + key.size()).starts_with('=')) {
    return fail(Errc::malformed, "a checkpoint without " + std::string(key));
  }
  rest.remove_prefix(key.size() + 2);
  const std::string_view value = rest.substr(0, rest.find(' '));
  rest.remove_prefix(value.size());
  return value;
}

Result<std::uint64_t> take_number(std::string_view& rest, std::string_view key) {
  auto text = take(rest, key);
  if (!text) return fail(text);
  return parse_number<std::uint64_t>(*text);
}

Result<Digest> take_digest(std::string_view& rest, std::string_view key) {
  auto text = take(rest, key);
  if (!text) return fail(text);
  auto bytes = from_hex(*text);
  if (!bytes) return fail(bytes);
  if (bytes->size() != digest_bytes) return fail(Errc::malformed, "a hash of the wrong length");
  return digest_at(*bytes);
}

Result<Checkpoint> parse_fields(std::string_view rest) {
  Checkpoint c;
  for (auto [key, field] : {std::pair{"tenant", &c.tenant}, std::pair{"node", &c.node}}) {
    auto text = take(rest, key);
    if (!text) return fail(text);
    if (!valid_name(*text)) return fail(Errc::malformed, "bad name in a checkpoint");
    *field = *text;
  }
  std::uint64_t time = 0;
  auto number = take_number(rest, "number");
  if (!number) return fail(number);
  c.number = *number;
  auto kind = take(rest, "kind");
  if (!kind) return fail(kind);
  c.kind = *kind;
  for (auto [key, field] : {std::pair{"segment", &c.segment}, std::pair{"sequence", &c.sequence},
                            std::pair{"records", &c.records}, std::pair{"time", &time}}) {
    auto value = take_number(rest, key);
    if (!value) return fail(value);
    *field = *value;
  }
  c.time = wall(time);
  for (auto [key, field] : {std::pair{"hash", &c.hash}, std::pair{"root", &c.root},
                            std::pair{"previous", &c.previous}}) {
    auto digest = take_digest(rest, key);
    if (!digest) return fail(digest);
    *field = *digest;
  }
  if (!rest.empty()) return fail(Errc::malformed, "more than a checkpoint");
  return c;
}

}  // namespace

std::string encode_checkpoint(const Checkpoint& checkpoint, const Ed25519Key& key) {
  std::string line = unsigned_line(checkpoint);
  const std::string signature = to_base64url(key.sign(as_bytes(line)));
  line += signature_key;
  line += signature;
  return line;
}

Result<Checkpoint> decode_checkpoint(std::string_view line, Bytes public_key) {
  const std::size_t split = line.find(signature_key);
  if (!line.starts_with(checkpoint_magic) || split == std::string_view::npos) {
    return fail(Errc::malformed, "not a checkpoint");
  }
  const std::string_view body = line.substr(0, split);
  auto signature = from_base64url(line.substr(split + signature_key.size()));
  if (!signature) return fail(signature);
  auto checkpoint = parse_fields(body.substr(checkpoint_magic.size()));
  if (!checkpoint) return fail(checkpoint);
  if (unsigned_line(*checkpoint) != body) return fail(Errc::malformed, "not a checkpoint");
  if (!ed25519_verify(public_key, as_bytes(body), *signature)) {
    return fail(Errc::denied, "the signature is not by this key");
  }
  return checkpoint;
}

std::string segment_name(std::uint64_t number) {
  return fmt::format("segment-{:012}.seg", number);
}

std::optional<std::uint64_t> segment_number(std::string_view name) {
  constexpr std::string_view prefix = "segment-";
  constexpr std::string_view suffix = ".seg";
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  const auto number = parse_number<std::uint64_t>(name.substr(prefix.size()));
  if (!number || segment_name(*number) != std::string(name) + std::string(suffix))
    return std::nullopt;
  return *number;
}

}  // namespace sallyport::ledger
