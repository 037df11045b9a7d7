#pragma once
// FileLayer: the few file operations that the ledger needs, so that a test can fail the n-th of
// them. What is on disk is only what datasync() or sync_directory() has returned for.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sallyport::ledger {

class File {
 public:
  virtual ~File() = default;
  /// Bytes read; 0 at the end of the file.
  virtual Result<std::size_t> read_at(std::span<std::byte> into, std::uint64_t offset) = 0;
  /// Bytes written, at least 1 and perhaps fewer than given.
  virtual Result<std::size_t> write_at(Bytes data, std::uint64_t offset) = 0;
  virtual Result<void> datasync() = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;
};

enum class OpenMode : std::uint8_t { read, write, create };

/// Holds the lock while it lives.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileLayer {
 public:
  virtual ~FileLayer() = default;
  /// `create` makes the file (0600) or empties it; `write` wants it to exist.
  virtual Result<std::unique_ptr<File>> open(const std::filesystem::path& path, OpenMode mode) = 0;
  virtual Result<void> rename(const std::filesystem::path& from,
                              const std::filesystem::path& to) = 0;
  virtual Result<void> remove(const std::filesystem::path& path) = 0;
  /// Names of the entries, sorted.
  virtual Result<std::vector<std::string>> list(const std::filesystem::path& directory) = 0;
  /// Makes names in the directory durable.
  virtual Result<void> sync_directory(const std::filesystem::path& directory) = 0;
  /// With parents, 0700; fine if it exists.
  virtual Result<void> make_directory(const std::filesystem::path& directory) = 0;
  /// Fails with unavailable if anyone else holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) = 0;
};

/// The machine's files. Safe from any thread.
FileLayer& system_files();

/// Writes all of `data`, however often the kernel takes only a part.
Result<void> write_all(File& file, Bytes data, std::uint64_t offset);
/// All bytes from `offset` to the end; too_large above `bytes_max`.
Result<ByteVector> read_from(File& file, std::uint64_t offset, std::size_t bytes_max);
/// The whole file as text; too_large above `bytes_max`.
Result<std::string> read_text(FileLayer& files, const std::filesystem::path& path,
                              std::size_t bytes_max);
/// Writes beside, syncs, renames over: afterwards the file is old or new, never half.
Result<void> replace_text(FileLayer& files, const std::filesystem::path& path,
                          std::string_view text);

}  // namespace sallyport::ledger
