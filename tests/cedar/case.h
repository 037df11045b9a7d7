#pragma once
// What the tools here share: files, and a case of the corpus.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace sallyport::cedar_tools {

Result<std::string> read_file(const std::filesystem::path& path);

struct Tally {
  std::size_t agreed = 0;
  std::vector<std::string> disagreements;
  /// Recorded as not valid only because a policy's action is not for such a principal or resource.
  /// The language's reference has accepted such policies, with a warning, since its version 4.13.
  std::vector<std::string> newly_accepted;
};

/// Runs one case file: whether the policies validate, and each request's decision, reasons and
/// errors. Paths in the case are relative to the folder above the file's, or to one above that.
void run_case(const std::filesystem::path& file, Tally& tally);

}  // namespace sallyport::cedar_tools
