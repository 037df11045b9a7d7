#include "ledger/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace sallyport::ledger {
namespace {

std::unexpected<Error> failed(const char* call, const std::filesystem::path& path) {
  const int code = errno;
  return fail(Errc::io, path.string() + ": " + call + ": " + std::generic_category().message(code));
}

// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

class SystemFile final : public File {
 public:
  SystemFile(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::span<std::byte> into, std::uint64_t offset) override {
    ssize_t got = 0;
    do {
      got = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset));
    } while (got < 0 && errno == EINTR);
    if (got < 0) return failed("pread", path_);
    return static_cast<std::size_t>(got);
  }

  Result<std::size_t> write_at(Bytes data, std::uint64_t offset) override {
    ssize_t put = 0;
    do {
      put = ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
    } while (put < 0 && errno == EINTR);
    if (put < 0) return failed("pwrite", path_);
    if (put == 0) return fail(Errc::io, path_.string() + ": pwrite took nothing");
    return static_cast<std::size_t>(put);
  }

  Result<void> datasync() override {
    if (::fdatasync(fd_.get()) != 0) return failed("fdatasync", path_);
    return ok();
  }

  Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return failed("ftruncate", path_);
    return ok();
  }

  Result<std::uint64_t> size() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return failed("fstat", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  Descriptor fd_;
  std::filesystem::path path_;
};

class SystemLock final : public FileLock {
 public:
  explicit SystemLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;
};

class SystemFiles final : public FileLayer {
 public:
  Result<std::unique_ptr<File>> open(const std::filesystem::path& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    if (mode == OpenMode::read) flags |= O_RDONLY;
    if (mode == OpenMode::write) flags |= O_RDWR;
    if (mode == OpenMode::create) flags |= O_RDWR | O_CREAT | O_TRUNC;
    const int fd = ::open(path.c_str(), flags, 0600);
    if (fd < 0) return failed("open", path);
    return std::make_unique<SystemFile>(fd, path);
  }

  Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed("rename", to);
    return ok();
  }

  Result<void> remove(const std::filesystem::path& path) override {
    if (::unlink(path.c_str()) != 0) return failed("unlink", path);
    return ok();
  }

  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override {
    std::vector<std::string> names;
    std::error_code problem;
    std::filesystem::directory_iterator at(directory, problem);
    for (; !problem && at != std::filesystem::directory_iterator(); at.increment(problem)) {
      names.push_back(at->path().filename().string());
    }
    if (problem) return fail(Errc::io, directory.string() + ": " + problem.message());
    std::ranges::sort(names);
    return names;
  }

  Result<void> sync_directory(const std::filesystem::path& directory) override {
    const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return failed("open", directory);
    if (::fsync(fd.get()) != 0) return failed("fsync", directory);
    return ok();
  }

  Result<void> make_directory(const std::filesystem::path& directory) override {
    if (std::error_code ignored; std::filesystem::is_directory(directory, ignored)) return ok();
    const std::filesystem::path parent = directory.parent_path();
    if (!parent.empty()) {
      if (auto made = make_directory(parent); !made) return made;
    }
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
      return failed("mkdir", directory);
    }
    return sync_directory(parent.empty() ? "." : parent);
  }

  Result<std::unique_ptr<FileLock>> lock(const std::filesystem::path& path) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return failed("open", path);
    auto held = std::make_unique<SystemLock>(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return fail(Errc::unavailable, path.string() + ": another process has this ledger open");
    }
    return held;
  }
};

}  // namespace

FileLayer& system_files() {
  static SystemFiles files;
  return files;
}

Result<void> write_all(File& file, Bytes data, std::uint64_t offset) {
  while (!data.empty()) {
    auto put = file.write_at(data, offset);
    if (!put) return fail(put);
    data = data.subspan(*put);
    offset += *put;
  }
  return ok();
}

Result<ByteVector> read_from(File& file, std::uint64_t offset, std::size_t bytes_max) {
  auto size = file.size();
  if (!size) return fail(size);
  const std::uint64_t wanted = *size > offset ? *size - offset : 0;
  if (wanted > bytes_max) return fail(Errc::too_large, "the file is too large");
  ByteVector bytes(wanted);
  std::size_t have = 0;
  while (have < bytes.size()) {
    auto got = file.read_at(std::span(bytes).subspan(have), offset + have);
    if (!got) return fail(got);
    if (*got == 0) break;  // it was cut since size()
    have += *got;
  }
  bytes.resize(have);
  return bytes;
}

Result<std::string> read_text(FileLayer& files, const std::filesystem::path& path,
                              std::size_t bytes_max) {
  auto file = files.open(path, OpenMode::read);
  if (!file) return fail(file);
  auto bytes = read_from(**file, 0, bytes_max);
  if (!bytes) return fail(bytes, path.string());
  return std::string(as_text(*bytes));
}

Result<void> replace_text(FileLayer& files, const std::filesystem::path& path,
                          std::string_view text) {
  const std::filesystem::path beside = path.string() + ".new";
  auto file = files.open(beside, OpenMode::create);
  if (!file) return fail(file);
  if (auto done = write_all(**file, as_bytes(text), 0); !done) return done;
  if (auto done = (*file)->datasync(); !done) return done;
  if (auto done = files.rename(beside, path); !done) return done;
  return files.sync_directory(path.parent_path());
}

}  // namespace sallyport::ledger
