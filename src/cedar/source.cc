#include "cedar/source.h"

#include <fmt/format.h>

namespace sallyport::cedar {
namespace {

constexpr std::size_t before_max = 60;  // characters of a long line shown before the place
constexpr std::size_t line_max = 120;   // characters of a line shown

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_character));
}

/// `text` without its first `count` characters.
std::string_view skip(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if (starts_character(text[at]) && count-- == 0) break;
  }
  return text.substr(at);
}

/// One column each: a tab or a control character would shift what is below.
std::string plain(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

}  // namespace

Position position_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  Position at;
  at.line = 1 + static_cast<std::uint32_t>(std::ranges::count(before, '\n'));
  at.column = 1 + static_cast<std::uint32_t>(characters(before.substr(line_start)));
  return at;
}

Position LineCounter::at(std::size_t offset) {
  for (; done_ < std::min(offset, text_.size()); ++done_) {
    if (text_[done_] == '\n') {
      ++position_.line;
      position_.column = 1;
    } else if (starts_character(text_[done_])) {
      ++position_.column;
    }
  }
  return position_;
}

std::string located(std::string_view file, std::string_view text, std::size_t offset,
                    std::string_view what) {
  const Position at = position_of(text, offset);
  return fmt::format("{}:{}:{}: {}", file, at.line, at.column, what);
}

std::string underlined(std::string_view text, Span span) {
  if (text.empty()) return {};
  const std::size_t begin = std::min<std::size_t>(span.begin, text.size());
  const std::size_t line_start = text.substr(0, begin).rfind('\n') + 1;
  const std::size_t line_end = std::min(text.find('\n', begin), text.size());
  const std::size_t end = std::clamp<std::size_t>(span.end, begin, line_end);
  std::string_view line = text.substr(line_start, line_end - line_start);
  std::size_t before = characters(text.substr(line_start, begin - line_start));
  std::size_t marked = std::max<std::size_t>(1, characters(text.substr(begin, end - begin)));
  if (before > before_max) {
    line = skip(line, before - before_max);
    before = before_max;
  }
  line = line.substr(0, line.size() - skip(line, line_max).size());
  marked = std::min(marked, line_max - before);
  const std::string number = std::to_string(position_of(text, begin).line);
  return fmt::format("  {} | {}\n  {:{}} | {:{}}{:^>{}}", number, plain(line), "", number.size(),
                     "", before, "", marked);
}

}  // namespace sallyport::cedar
