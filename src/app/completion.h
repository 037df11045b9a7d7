#pragma once
// `sallyport completion bash|zsh|fish`: a script for the shell, made from the tree of commands
// itself, so that it cannot fall behind.

#include <CLI/App.hpp>
#include <string>

namespace sallyport::app {

enum class Shell { bash, zsh, fish };

std::string completion_script(const CLI::App& app, Shell shell);

/// Add it last: the script knows the commands that `app` has when it is asked for.
void add_completion(CLI::App& app);

}  // namespace sallyport::app
