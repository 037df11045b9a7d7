#include "ledger/prove.h"

#include <algorithm>

#include "ledger/json_writer.h"

namespace sallyport::ledger {
namespace {

constexpr std::size_t checkpoints_bytes_max = std::size_t{1} << 30;

// The first checkpoint of the segment that covers the record.
Result<std::pair<std::string, Checkpoint>> checkpoint_for(std::string_view text, Bytes key,
                                                          std::uint64_t segment,
                                                          std::uint64_t sequence) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    auto checkpoint = decode_checkpoint(line, key);
    if (!checkpoint) return fail(checkpoint);
    if (checkpoint->segment == segment && checkpoint->sequence >= sequence) {
      return std::pair(std::string(line), std::move(*checkpoint));
    }
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return fail(Errc::invalid, "no checkpoint covers the record yet: try again in a few seconds");
}

// The proof without its checkpoint; nullopt if the record is not in this segment.
Result<std::optional<Proof>> find_in(Bytes segment, std::uint64_t sequence,
                                     std::string_view checkpoints) {
  auto scanner = SegmentScanner::open(segment);
  if (!scanner) return fail(scanner);
  std::vector<Digest> leaves;
  Proof proof{.sequence = sequence};
  bool found = false;
  std::optional<Checkpoint> until;
  while (!until || scanner->sequence() < until->sequence) {
    const std::uint64_t at = scanner->offset();
    const auto frame = scanner->next();
    if (!frame) return std::unexpected(frame.error());
    if (!*frame) break;
    leaves.push_back((*frame)->hash);
    if ((*frame)->sequence != sequence) continue;
    found = true;
    proof.index = leaves.size() - 1;
    const Bytes bytes = segment.subspan(at, (*frame)->size);
    proof.frame.assign(bytes.begin(), bytes.end());
    std::ranges::copy(segment.subspan(at - digest_bytes, digest_bytes), proof.previous.begin());
    auto covering = checkpoint_for(checkpoints, scanner->header().public_key,
                                   scanner->header().number, sequence);
    if (!covering) return fail(covering);
    proof.checkpoint = std::move(covering->first);
    until = std::move(covering->second);
  }
  if (!found) return std::nullopt;
  if (scanner->sequence() != until->sequence) {
    return fail(Errc::malformed, "the log ends before its checkpoint");
  }
  proof.size = leaves.size();
  proof.path = merkle_path(leaves, proof.index);
  return proof;
}

}  // namespace

Result<Proof> prove(const std::filesystem::path& directory, std::uint64_t sequence,
                    FileLayer& files) {
  auto names = files.list(directory);
  if (!names) return fail(names);
  auto checkpoints = read_text(files, directory / checkpoints_name, checkpoints_bytes_max);
  if (!checkpoints) return fail(checkpoints);
  checkpoints->resize(checkpoints->rfind('\n') + 1);
  for (const std::string& name : *names) {
    if (!segment_number(name)) continue;
    auto file = files.open(directory / name, OpenMode::read);
    if (!file) return fail(file);
    auto bytes = read_from(**file, 0, segment_bytes_max);
    if (!bytes) return fail(bytes);
    auto found = find_in(*bytes, sequence, *checkpoints);
    if (!found) return fail(found, name);
    if (*found) return std::move(**found);
  }
  return fail(Errc::invalid, "there is no record " + std::to_string(sequence));
}

Result<std::string> check_proof(const Proof& proof, Bytes public_key) {
  const auto checkpoint = decode_checkpoint(proof.checkpoint, public_key);
  if (!checkpoint) return std::unexpected(checkpoint.error());
  ByteVector chained(proof.previous.begin(), proof.previous.end());
  append(chained, Bytes(proof.frame));
  const auto frame = decode_frame(chained);
  if (!frame) return std::unexpected(frame.error());
  if (!*frame || (*frame)->size != proof.frame.size() || (*frame)->sequence != proof.sequence) {
    return fail(Errc::malformed, "the proof is of another record");
  }
  const auto root = merkle_root_by_path((*frame)->hash, proof.index, proof.size, proof.path);
  if (!root) return std::unexpected(root.error());
  if (*root != checkpoint->root) {
    return fail(Errc::denied, "the record is not in the tree that the checkpoint signs");
  }
  return payload_of(**frame);
}

std::string to_json(const Proof& proof) {
  std::vector<std::string> path;
  for (const Digest& digest : proof.path) path.push_back(to_hex(digest));
  JsonWriter json;
  json.begin_object()
      .field("sequence", proof.sequence)
      .field("leaf_index", proof.index)
      .field("tree_size", proof.size)
      .field("previous_hash", to_hex(proof.previous))
      .field("frame", to_base64(proof.frame))
      .strings("path", path)
      .field("checkpoint", proof.checkpoint)
      .end_object();
  return json.take();
}

}  // namespace sallyport::ledger
