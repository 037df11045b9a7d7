#pragma once
// The key of masks of the kind `hash`: equal values look equal for as long as it is the same. Kept
// in the data folder, made at the first start; gateways that share targets share it by copying it.

#include <filesystem>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace sallyport::app {

/// 64 hex digits. Fails on a file that holds anything else, and where none can be written.
Result<std::string> mask_key(const std::filesystem::path& data, Random& random);

}  // namespace sallyport::app
