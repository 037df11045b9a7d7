#pragma once
// `sallyport connect NAME [-- psql args]`: psql through the gateway.

#include <CLI/App.hpp>

namespace sallyport::cli {

void add_connect(CLI::App& app);

}  // namespace sallyport::cli
