#pragma once
// Policies from a folder: for the commands that work on one, and for the gateway at start and on
// reload. policy/ itself reads no files.

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "cedar/program.h"

namespace sallyport::cli {

constexpr std::size_t policy_files_max = 1'000;

/// The folder's *.cedar files, and its *.cedar.json ones (policies, templates and links as JSON),
/// in the order of their names. An empty folder is an error: it would deny everything, which nobody
/// means.
Result<std::vector<cedar::PolicyText>> read_policies(const std::filesystem::path& directory);

/// The text of one file of policies, of at most cedar::policy_bytes_max.
Result<std::string> read_policy_file(const std::filesystem::path& path);

}  // namespace sallyport::cli
