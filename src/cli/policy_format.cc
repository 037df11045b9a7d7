#include "cli/policy_format.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "cedar/format.h"
#include "cli/policy_files.h"

namespace sallyport::cli {
namespace {

namespace fs = std::filesystem;

/// Beside the file and then in its place, so that nobody ever reads half of it.
Result<void> replace_file(const fs::path& path, const std::string& text) {
  // Through a link to the file itself.
  std::error_code problem;
  const fs::path real = fs::canonical(path, problem);
  if (problem) return fail(Errc::io, path.string() + ": " + problem.message());
  fs::path beside = real;
  beside += ".formatted";
  std::ofstream file(beside, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail(Errc::io, beside.string() + ": cannot be written");
  fs::permissions(beside, fs::status(real, problem).permissions(), problem);
  fs::rename(beside, real, problem);
  if (problem) return fail(Errc::io, path.string() + ": " + problem.message());
  return ok();
}

}  // namespace

Result<std::vector<fs::path>> policy_files(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    std::error_code problem;
    if (!fs::is_directory(path, problem)) {
      files.push_back(path);
      continue;
    }
    for (fs::directory_iterator at(path, problem), end; !problem && at != end;
         at.increment(problem)) {
      if (at->path().extension() == ".cedar") files.push_back(at->path());
    }
    if (problem) return fail(Errc::io, path.string() + ": " + problem.message());
  }
  std::ranges::sort(files);
  if (files.empty()) return fail(Errc::invalid, "there is no *.cedar file here");
  return files;
}

Result<std::vector<fs::path>> format_policy_files(const std::vector<fs::path>& files,
                                                  bool only_check) {
  std::vector<std::pair<fs::path, std::string>> changed;
  for (const fs::path& path : files) {
    auto text = read_policy_file(path);
    if (!text) return fail(text);
    auto formatted = cedar::format_policies(path.string(), *text);
    if (!formatted) return fail(formatted);
    if (*formatted != *text) changed.emplace_back(path, std::move(*formatted));
  }
  std::vector<fs::path> names;
  for (const auto& [path, text] : changed) {
    if (!only_check) {
      if (auto replaced = replace_file(path, text); !replaced) return fail(replaced);
    }
    names.push_back(path);
  }
  return names;
}

}  // namespace sallyport::cli
