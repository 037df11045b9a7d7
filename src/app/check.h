#pragma once
// `sallyport check --config FILE`: reads the configuration, says what is wrong with it, does
// nothing.

#include <CLI/App.hpp>

namespace sallyport::app {

void add_check(CLI::App& app);

}  // namespace sallyport::app
