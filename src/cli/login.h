#pragma once
// `sallyport login`: a person proves who they are at the gateway's issuer.

#include <CLI/App.hpp>

namespace sallyport::cli {

void add_login(CLI::App& app);

}  // namespace sallyport::cli
