#include "cli/client_state.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "identity/json.h"

namespace sallyport::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = std::size_t{1} << 20;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<void> write_whole(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written <= 0) return fail(Errc::io, "the login cannot be written");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ok();
}

}  // namespace

Result<std::string> state_path() {
  std::string base = environment("XDG_STATE_HOME");
  if (!base.starts_with('/')) {  // relative ones are to be ignored, says the specification
    const std::string home = environment("HOME");
    if (home.empty()) return fail(Errc::invalid, "neither XDG_STATE_HOME nor HOME is set");
    base = home + "/.local/state";
  }
  return base + "/sallyport/login.json";
}

Result<std::optional<ClientState>> load_state(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return std::nullopt;
    return fail(Errc::io, path + " cannot be read");
  }
  if ((info.st_mode & 077) != 0) {
    return fail(Errc::denied, path + " can be read by others; run `sallyport logout` and log in");
  }
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  auto document = identity::Json::parse(text, kFileBytesMax);
  if (!document || !document->is_object()) {
    return fail(Errc::malformed, path + " is damaged; run `sallyport login`");
  }
  const auto read = [&](std::string_view name) {
    return std::string(document->text(name).value_or(""));
  };
  const auto* expires = document->member("expires_s");
  return ClientState{.gateway = read("gateway"),
                     .ca_file = read("ca_file"),
                     .token_endpoint = read("token_endpoint"),
                     .client_id = read("client_id"),
                     .access_token = read("access_token"),
                     .refresh_token = read("refresh_token"),
                     .expires_s = expires ? expires->integer().value_or(0) : 0};
}

Result<void> save_state(const std::string& path, const ClientState& state) {
  const fs::path folder = fs::path(path).parent_path();
  std::error_code problem;
  if (fs::create_directories(folder, problem)) {
    fs::permissions(folder, fs::perms::owner_all, problem);
  }
  std::string temporary = path + ".XXXXXX";
  const int file = ::mkstemp(temporary.data());  // mode 0600
  if (file < 0) return fail(Errc::io, path + " cannot be written");
  auto written = write_whole(
      file, boost::json::serialize(boost::json::object{{"gateway", state.gateway},
                                                       {"ca_file", state.ca_file},
                                                       {"token_endpoint", state.token_endpoint},
                                                       {"client_id", state.client_id},
                                                       {"access_token", state.access_token},
                                                       {"refresh_token", state.refresh_token},
                                                       {"expires_s", state.expires_s}}));
  ::close(file);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = fail(Errc::io, path + " cannot be written");
  }
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<bool> remove_state(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return fail(Errc::io, path + " cannot be removed");
}

}  // namespace sallyport::cli
