#pragma once
// SpareSegment: the file of the next segment, zeroed and synced by a helper thread before it is
// needed, so that ending a segment costs the commit thread a header and not the whole file. Knows
// nothing of headers and records. Used by one thread.

#include <filesystem>
#include <future>
#include <memory>

#include "ledger/files.h"

namespace sallyport::ledger {

class SpareSegment {
 public:
  /// The file is `path` until its taker gives it another name. `files` must outlive it.
  SpareSegment(FileLayer& files, std::filesystem::path path, std::size_t segment_bytes);
  /// Waits for the helper, and removes what nobody took.
  ~SpareSegment();
  SpareSegment(const SpareSegment&) = delete;
  SpareSegment& operator=(const SpareSegment&) = delete;

  /// Begins to make the file, unless that was begun before. Does not wait.
  void prepare();
  /// The file: zeros only, and durable. Waits if it is under way, and makes it here and now if it
  /// was not begun or has failed.
  Result<std::unique_ptr<File>> take();
  /// Forgets what was made, after a failure of the disk: nothing of before it is trusted.
  void discard();

 private:
  Result<std::unique_ptr<File>> make();

  FileLayer& files_;
  const std::filesystem::path path_;
  const std::size_t segment_bytes_;
  std::future<Result<std::unique_ptr<File>>> made_;  // not valid: not begun
};

}  // namespace sallyport::ledger
