// Any bytes as a segment and as a checkpoint line: no crash, no unbounded work.

#include "ledger/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::ledger;
  const Bytes bytes = std::as_bytes(std::span(data, size));
  (void)decode_checkpoint(as_text(bytes), Digest{});
  if (auto scanner = SegmentScanner::open(bytes)) {
    for (auto frame = scanner->next(); frame && *frame; frame = scanner->next()) {
      (void)payload_of(**frame);
    }
    (void)scanner->stray_byte();
  }
  // Frames that the fuzzer need not find a hash for.
  if (size >= digest_bytes) (void)decode_frame(bytes);
  const Frame loose{.stored = bytes.subspan(std::min<std::size_t>(4, size)),
                    .plain_bytes = size < 4 ? 0 : read_u32(bytes) % 100000,
                    .compressed = true};
  (void)payload_of(loose);
  return 0;
}
