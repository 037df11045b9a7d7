#include "cli/ledger_place.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/bytes.h"

namespace sallyport::cli {
namespace {

std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return length <= text.size() && is_utf8(text.substr(0, length)) ? length : 0;
}

char32_t code_point(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  if (sequence.size() == 1) return byte(0);
  char32_t point = byte(0) & (0x7Fu >> sequence.size());
  for (std::size_t i = 1; i < sequence.size(); ++i) point = point << 6 | (byte(i) & 0x3Fu);
  return point;
}

// C0, DEL and C1 controls; zero-width and bidirectional marks, line separators, the byte order mark
// and tag characters.
bool hidden(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || c == 0x180E ||
         (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
         (c >= 0xE0000 && c <= 0xE007F);
}

}  // namespace

void LedgerPlace::add_options(CLI::App& command, bool positional) {
  auto* dir = command.add_option(positional ? "dir,--dir" : "--dir", directory,
                                 "The ledger's own directory");
  command.add_option("--data", data, "The gateway's data directory")
      ->envname("SALLYPORT_DATA")
      ->type_name("DIR");
  dir->type_name("DIR");
}

std::filesystem::path LedgerPlace::path() const {
  if (!directory.empty()) return directory;
  if (!data.empty()) return std::filesystem::path(data) / "ledger";
  give_up(2, "which ledger?", "give --data DIR, --dir DIR, or set SALLYPORT_DATA");
}

void give_up(int code, std::string_view problem, std::string_view hint) {
  fmt::print(stderr, "sallyport: {}\n", problem);
  if (!hint.empty()) fmt::print(stderr, "  hint: {}\n", hint);
  throw CLI::RuntimeError(code);
}

std::string terminal_safe(std::string_view text, bool lines) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view sequence = text.substr(0, length == 0 ? 1 : length);
    if (length == 0) {
      fmt::format_to(std::back_inserter(safe), "\\x{:02x}",
                     static_cast<unsigned char>(text.front()));
    } else if (const char32_t point = code_point(sequence); !hidden(point)) {
      safe += sequence;
    } else if (point == '\n') {
      safe += lines ? "\n" : "\\n";
    } else if (point == '\t') {
      safe += lines ? "\t" : "\\t";
    } else if (point < 0x100) {
      fmt::format_to(std::back_inserter(safe), "\\x{:02x}", static_cast<unsigned>(point));
    } else {
      fmt::format_to(std::back_inserter(safe), "\\u{{{:x}}}", static_cast<unsigned>(point));
    }
    text.remove_prefix(sequence.size());
  }
  return safe;
}

}  // namespace sallyport::cli
