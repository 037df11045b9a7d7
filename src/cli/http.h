#pragma once
// `sallyport http`: requests to HTTP connections, for people.

#include <CLI/App.hpp>

namespace sallyport::cli {

void add_http(CLI::App& app);

}  // namespace sallyport::cli
