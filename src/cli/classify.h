#pragma once
// `sallyport classify suggest NAME`: which columns of a connection should be classified, and as
// what.

#include <CLI/App.hpp>

namespace sallyport::cli {

void add_classify(CLI::App& app);

}  // namespace sallyport::cli
