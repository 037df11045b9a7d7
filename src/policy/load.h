#pragma once
// Policies from a folder, at start and on reload. The one place of this room that reads files.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/policies.h"

namespace sallyport::policy {

constexpr std::size_t policy_files_max = 1'000;

/// The folder's *.cedar files, and its *.cedar.json ones (policies, templates and links as JSON),
/// in the order of their names. An empty folder is an error: it would deny everything, which nobody
/// means.
Result<std::vector<cedar::PolicyText>> read_policies(const std::filesystem::path& directory);

Result<std::shared_ptr<const Policies>> load(const std::filesystem::path& directory,
                                             std::vector<ConnectionFacts> connections,
                                             std::string tenant = "default");

}  // namespace sallyport::policy
