#pragma once
// For the ledger's own tests: a directory that goes away, and files of which the n-th call fails.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>

#include "ledger/files.h"

namespace sallyport::ledger {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "ledger-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary directory";
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void spill(const std::filesystem::path& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
}

/// The real files, but the calls from number `fail_at` on, `failures` of them, fail: a write takes
/// a part of what it was given first, as a full disk does. Counts from 0. Safe from any thread.
class FaultyFiles final : public FileLayer {
 public:
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

  void fail_at(std::uint64_t call, std::uint64_t failures, bool partial_writes) {
    calls_ = 0;
    partial_writes_ = partial_writes;
    failures_ = failures;
    fail_at_ = call;
  }
  std::uint64_t calls() const { return calls_; }

  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, OpenMode mode) override;
  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (failing()) return broken();
    return system_files().rename(from, to);
  }
  Result<void> remove(const std::filesystem::path& path) override {
    if (failing()) return broken();
    return system_files().remove(path);
  }
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override {
    if (failing()) return broken();
    return system_files().list(directory);
  }
  Result<void> sync_directory(const std::filesystem::path& directory) override {
    if (failing()) return broken();
    return system_files().sync_directory(directory);
  }
  Result<void> make_directory(const std::filesystem::path& directory) override {
    if (failing()) return broken();
    return system_files().make_directory(directory);
  }
  Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) override {
    if (failing()) return broken();
    return system_files().lock(path);
  }

 private:
  class FaultyFile;

  bool failing() {
    const std::uint64_t call = calls_++;
    return call >= fail_at_ && call - fail_at_ < failures_;
  }
  static std::unexpected<Error> broken() { return fail(Errc::io, "injected failure"); }

  std::atomic<std::uint64_t> calls_{0};
  std::atomic<std::uint64_t> fail_at_{never};
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<bool> partial_writes_{false};
};

class FaultyFiles::FaultyFile final : public File {
 public:
  FaultyFile(FaultyFiles& owner, std::unique_ptr<File> file)
      : owner_(owner), file_(std::move(file)) {}

  Result<std::size_t> read_at(std::span<std::byte> into, std::uint64_t offset) override {
    if (owner_.failing()) return broken();
    return file_->read_at(into, offset);
  }
  Result<std::size_t> write_at(Bytes data, std::uint64_t offset) override {
    if (!owner_.failing()) return file_->write_at(data, offset);
    if (owner_.partial_writes_ && data.size() > 1) {
      (void)file_->write_at(data.first(data.size() / 2), offset);
    }
    return broken();
  }
  Result<void> datasync() override {
    if (owner_.failing()) return broken();
    return file_->datasync();
  }
  Result<void> truncate(std::uint64_t size) override {
    if (owner_.failing()) return broken();
    return file_->truncate(size);
  }
  Result<std::uint64_t> size() override {
    if (owner_.failing()) return broken();
    return file_->size();
  }

 private:
  FaultyFiles& owner_;
  std::unique_ptr<File> file_;
};

inline Result<std::unique_ptr<File>> FaultyFiles::open(const std::filesystem::path& path,
                                                       OpenMode mode) {
  if (failing()) return broken();
  auto file = system_files().open(path, mode);
  if (!file) return file;
  return std::make_unique<FaultyFile>(*this, std::move(*file));
}

}  // namespace sallyport::ledger
