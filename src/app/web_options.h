#pragma once
// From the configuration to what the HTTP adapter is told.

#include <memory>

#include "app/config.h"
#include "base/result.h"
#include "protocol/http/options.h"

namespace sallyport::app {

/// Reads certificates and keys from disk. Limits are shared out over the workers.
Result<std::shared_ptr<const web::Options>> make_web_options(const Config& config,
                                                             std::size_t workers);

}  // namespace sallyport::app
