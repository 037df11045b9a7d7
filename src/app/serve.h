#pragma once
// `sallyport serve --config FILE`: the gateway, in the foreground.

#include <CLI/App.hpp>

namespace sallyport::app {

void add_serve(CLI::App& app);

}  // namespace sallyport::app
