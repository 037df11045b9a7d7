#pragma once
// Where the commands that read a ledger find it, and text that is safe on a terminal.

#include <filesystem>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace sallyport::cli {

/// Options --data and --dir. Must outlive the parsing, so it is shared with the callback.
struct LedgerPlace {
  std::string data;       // the gateway's data directory; the ledger is in "ledger" below it
  std::string directory;  // the ledger itself

  /// `positional`: the ledger's directory may also be given without --dir.
  void add_options(CLI::App& command, bool positional = false);
  /// Exits with 2 if neither was given.
  std::filesystem::path path() const;
};

/// Prints `problem` and a hint on stderr and ends the command with `code`.
[[noreturn]] void give_up(int code, std::string_view problem, std::string_view hint = {});

/// Control characters, bidirectional overrides and what is not UTF-8 come out escaped, so that what
/// a client wrote cannot steer the terminal of who reads it. Newlines are kept if `lines`.
std::string terminal_safe(std::string_view text, bool lines = false);

}  // namespace sallyport::cli
