#include "ledger/spare_segment.h"

#include <algorithm>
#include <system_error>

#include "base/log.h"

namespace sallyport::ledger {
namespace {

// So much is written between two syncs: little enough that a commit whose own sync comes in between
// does not wait for long.
constexpr std::size_t piece_bytes = std::size_t{1} << 20;
// The page cache keeps what one call wrote in one piece, and every later write of a record walks
// the whole of that: with 1 MiB a write of 6 KB took 15 us, with 64 KiB 5.6 us (ext4, Linux 6.18).
constexpr std::size_t call_bytes = std::size_t{64} << 10;

}  // namespace

SpareSegment::SpareSegment(FileLayer& files, std::filesystem::path path, std::size_t segment_bytes)
    : files_(files), path_(std::move(path)), segment_bytes_(segment_bytes) {}

SpareSegment::~SpareSegment() {
  discard();
}

void SpareSegment::prepare() {
  if (made_.valid()) return;
  try {
    made_ = std::async(std::launch::async, [this] {
      auto made = make();
      // Early word of a disk that is full: the log itself still has the segment it writes to.
      if (!made) log::warn("next ledger segment not made yet", {{"why", made.error().detail}});
      return made;
    });
  } catch (const std::system_error&) {
    // No thread to be had: take() makes it.
  }
}

Result<std::unique_ptr<File>> SpareSegment::take() {
  if (made_.valid()) {
    auto made = made_.get();
    if (made) return made;
  }
  return make();
}

void SpareSegment::discard() {
  if (!made_.valid()) return;
  if (!made_.get()) return;
  if (auto removed = files_.remove(path_); !removed) {
    log::warn("unused ledger segment not removed", {{"why", removed.error().detail}});
  }
}

// Fully written, not only allocated: a sync of a record then has no file metadata to write.
Result<std::unique_ptr<File>> SpareSegment::make() {
  auto file = files_.open(path_, OpenMode::create);
  if (!file) return fail(file);
  const ByteVector zeros(std::min(call_bytes, segment_bytes_));
  std::size_t unsynced = 0;
  for (std::size_t at = 0; at < segment_bytes_; at += zeros.size()) {
    const std::size_t size = std::min(zeros.size(), segment_bytes_ - at);
    auto done = write_all(**file, Bytes(zeros).first(size), at);
    unsynced += size;
    if (done && (unsynced >= piece_bytes || at + size == segment_bytes_)) {
      done = (*file)->datasync();
      unsynced = 0;
    }
    if (!done) return fail(done);
  }
  return file;
}

}  // namespace sallyport::ledger
