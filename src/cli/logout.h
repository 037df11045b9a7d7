#pragma once
// `sallyport logout`: forget the saved tokens.

#include <CLI/App.hpp>

namespace sallyport::cli {

void add_logout(CLI::App& app);

}  // namespace sallyport::cli
