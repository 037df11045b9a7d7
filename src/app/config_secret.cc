#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "app/config_parts.h"

namespace sallyport::app {
namespace {

constexpr std::size_t secret_bytes_max = 4096;

Secret from_environment(Reading& reading, Fields& fields, const std::string& key,
                        const std::string& name) {
  const auto found = reading.environment(name);
  if (!found || found->empty()) {
    fields.problem(key, fmt::format("the environment variable {} is not set", name),
                   fmt::format("set it before starting, or use file:PATH"));
  }
  return {found.value_or(""), Secret::Source::environment};
}

Secret from_file(Fields& fields, const std::string& key, const std::string& written) {
  const std::filesystem::path path = resolve_path(fields.value().find(key)->place, written);
  std::ifstream in(path, std::ios::binary);
  std::error_code error;
  if (!in || !std::filesystem::is_regular_file(path, error)) {
    fields.problem(key, fmt::format("there is no readable file '{}'", path.string()),
                   "paths are relative to the configuration file");
    return {};
  }
  std::string text(secret_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty() || text.size() > secret_bytes_max) {
    fields.problem(key, fmt::format("the file '{}' holds no secret", path.string()),
                   "it must hold one line of at most 4096 bytes");
  }
  return {std::move(text), Secret::Source::file};
}

}  // namespace

Secret read_secret(Reading& reading, Fields& fields, const std::string& key,
                   const std::string& example) {
  const std::string written = fields.required_text(key, example);
  if (written.empty()) return {};
  if (written.starts_with("env:")) return from_environment(reading, fields, key, written.substr(4));
  if (written.starts_with("file:")) return from_file(fields, key, written.substr(5));
  reading.warnings.push_back({fields.value().find(key)->place,
                              fmt::format("{}.{} is written in the file", fields.name(), key),
                              "env:NAME or file:PATH keeps it out of backups and repositories"});
  return {written, Secret::Source::inline_text};
}

bool is_ip_address(const std::string& text) {
  in6_addr into{};
  return inet_pton(AF_INET, text.c_str(), &into) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &into) == 1;
}

bool is_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !text.empty() && text.size() <= 63 && letter(text.front()) &&
         std::ranges::all_of(text,
                             [&](char c) { return letter(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace sallyport::app
