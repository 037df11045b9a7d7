#pragma once
// `sallyport ticket NAME`: a short-lived password for a connection.

#include <CLI/App.hpp>

namespace sallyport::cli {

void add_ticket(CLI::App& app);

}  // namespace sallyport::cli
