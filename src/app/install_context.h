#pragma once
// `sallyport postgres install-context`: the SQL that lets a target know, and nobody forge, who a
// session is for.

#include <CLI/App.hpp>

namespace sallyport::app {

void add_install_context(CLI::App& app);

}  // namespace sallyport::app
