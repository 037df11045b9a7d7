#include "app/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <vector>

namespace sallyport::app {
namespace {

struct Command {
  std::string path;  // "ledger verify"; empty for the program itself
  std::vector<const CLI::App*> subcommands;
  std::vector<std::string> options;  // "--config"
};

void collect(const CLI::App& app, const std::string& path, std::vector<Command>& into) {
  Command command{path, {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) command.options.push_back("--" + name);
  }
  command.subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  into.push_back(command);
  for (const CLI::App* sub : command.subcommands) {
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), into);
  }
}

std::vector<Command> commands_of(const CLI::App& app) {
  std::vector<Command> commands;
  collect(app, "", commands);
  return commands;
}

/// The words of the line that are commands lead to the candidates for the next one; anything that
/// takes a file falls through to the shell's own completion of files (-o default).
std::string bash_function(const CLI::App& app) {
  const std::string& name = app.get_name();
  std::string cases, paths;
  for (const Command& command : commands_of(app)) {
    std::vector<std::string> words = command.options;
    for (const CLI::App* sub : command.subcommands) words.push_back(sub->get_name());
    cases += fmt::format("    '{}') words='{}' ;;\n", command.path, fmt::join(words, " "));
    if (!command.path.empty()) paths += fmt::format("|'{}'", command.path);
  }
  if (!paths.empty()) paths.erase(0, 1);
  return fmt::format(R"(_{0}() {{
  local words='' path='' word next i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    next="${{path:+$path }}$word"
    case "$next" in
      {1}) path=$next ;;
    esac
  done
  case "$path" in
{2}  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _{0} {0}
)",
                     name, paths, cases);
}

std::string fish_quoted(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of("'\\", at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\\');
  }
  return "'" + text + "'";
}

std::string fish_script(const CLI::App& app) {
  std::string script = fmt::format("complete -c {} -f\n", app.get_name());
  for (const Command& command : commands_of(app)) {
    std::string when = "__fish_use_subcommand";
    if (!command.path.empty()) {
      when.clear();
      std::string_view rest = command.path;
      while (!rest.empty()) {
        const std::size_t space = rest.find(' ');
        when += (when.empty() ? "" : "; and ");
        when += fmt::format("__fish_seen_subcommand_from {}", rest.substr(0, space));
        rest = space == std::string_view::npos ? "" : rest.substr(space + 1);
      }
    }
    for (const CLI::App* sub : command.subcommands) {
      script += fmt::format("complete -c {} -n '{}' -a {} -d {}\n", app.get_name(), when,
                            sub->get_name(), fish_quoted(sub->get_description()));
    }
    for (const std::string& option : command.options) {
      script +=
          fmt::format("complete -c {} -n '{}' -l {} -F\n", app.get_name(), when, option.substr(2));
    }
  }
  return script;
}

}  // namespace

std::string completion_script(const CLI::App& app, Shell shell) {
  switch (shell) {
    case Shell::bash:
      return bash_function(app);
    case Shell::zsh:
      return "autoload -U +X bashcompinit && bashcompinit\n" + bash_function(app);
    case Shell::fish:
      return fish_script(app);
  }
  return {};
}

void add_completion(CLI::App& app) {
  CLI::App* completion =
      app.add_subcommand("completion", "Print a completion script: bash, zsh or fish");
  const std::pair<const char*, Shell> shells[] = {
      {"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}};
  for (const auto& [name, shell] : shells) {
    CLI::App* one = completion->add_subcommand(name, fmt::format("for {}", name));
    one->callback([&app, chosen = shell] { fmt::print("{}", completion_script(app, chosen)); });
  }
  completion->require_subcommand(1);
}

}  // namespace sallyport::app
