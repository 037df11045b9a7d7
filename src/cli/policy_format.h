#pragma once
// `sallyport policy format`: the one layout of policies, in place.

#include <filesystem>
#include <vector>

#include "base/result.h"

namespace sallyport::cli {

/// The *.cedar files among `paths` and in the folders among them, in order.
Result<std::vector<std::filesystem::path>> policy_files(
    const std::vector<std::filesystem::path>& paths);

/// Files whose layout is another one. They are rewritten, each whole or not at all, unless
/// `only_check`. Fails on the first that is no policies, before anything is written.
Result<std::vector<std::filesystem::path>> format_policy_files(
    const std::vector<std::filesystem::path>& files, bool only_check);

}  // namespace sallyport::cli
