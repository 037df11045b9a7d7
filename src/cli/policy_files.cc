#include "cli/policy_files.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "cedar/parser.h"

namespace sallyport::cli {

namespace fs = std::filesystem;

Result<std::string> read_policy_file(const fs::path& path) {
  std::error_code problem;
  const auto size = fs::file_size(path, problem);
  if (problem) return fail(Errc::io, path.string() + ": " + problem.message());
  if (size > cedar::policy_bytes_max) {
    return fail(Errc::too_large,
                fmt::format("{}: larger than {} bytes", path.string(), cedar::policy_bytes_max));
  }
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) return fail(Errc::io, path.string() + ": cannot be read");
  return text;
}

Result<std::vector<cedar::PolicyText>> read_policies(const fs::path& directory) {
  std::error_code problem;
  std::vector<fs::path> files;
  for (fs::directory_iterator at(directory, problem), end; !problem && at != end;
       at.increment(problem)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(".cedar") || name.ends_with(".cedar.json")) files.push_back(at->path());
  }
  if (problem) return fail(Errc::io, directory.string() + ": " + problem.message());
  if (files.empty()) {
    return fail(Errc::invalid, directory.string() + ": there is no *.cedar file here");
  }
  if (files.size() > policy_files_max) {
    return fail(Errc::too_large,
                fmt::format("{}: more than {} files", directory.string(), policy_files_max));
  }
  std::ranges::sort(files);
  std::vector<cedar::PolicyText> texts;
  for (const fs::path& file : files) {
    auto text = read_policy_file(file);
    if (!text) return fail(text);
    texts.push_back({file.string(), std::move(*text)});
  }
  return texts;
}

}  // namespace sallyport::cli
