#pragma once
// `sallyport whoami`: who the gateway takes one for.

#include <CLI/App.hpp>

namespace sallyport::cli {

void add_whoami(CLI::App& app);

}  // namespace sallyport::cli
