#pragma once
// `sallyport env NAME`: PG* variables for any other PostgreSQL client.

#include <CLI/App.hpp>

namespace sallyport::cli {

void add_env(CLI::App& app);

}  // namespace sallyport::cli
