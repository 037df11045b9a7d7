#pragma once
// `sallyport demo`: a gateway with everything around it, on one machine, with nothing to configure.

#include <CLI/App.hpp>

namespace sallyport::app {

void add_demo(CLI::App& app);

}  // namespace sallyport::app
