#pragma once

#include <CLI/App.hpp>

namespace sallyport::cli {

/// `sallyport delegate` and `sallyport delegations`.
void add_delegate(CLI::App& app);

}  // namespace sallyport::cli
