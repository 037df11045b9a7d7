#include "ledger/json_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"

namespace sallyport::ledger {
namespace {

// Length of the well-formed UTF-8 sequence at the front of `text`, or 0.
std::size_t sequence_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (length > text.size() || !is_utf8(text.substr(0, length))) return 0;
  return length;
}

/// Characters at the front that stand for themselves; by blocks, which the compiler turns into
/// vector instructions.
std::size_t plain_run(std::string_view text) {
  constexpr std::size_t block = 16;
  std::size_t run = 0;
  for (; text.size() - run >= block; run += block) {
    bool all = true;
    for (std::size_t i = 0; i < block; ++i) all &= JsonKey::plain(text[run + i]);
    if (!all) break;
  }
  while (run < text.size() && JsonKey::plain(text[run])) ++run;
  return run;
}

void append_escaped(std::string& to, char c) {
  switch (c) {
    case '"':
      to += "\\\"";
      return;
    case '\\':
      to += "\\\\";
      return;
    case '\n':
      to += "\\n";
      return;
    case '\r':
      to += "\\r";
      return;
    case '\t':
      to += "\\t";
      return;
    default:
      fmt::format_to(std::back_inserter(to), "\\u{:04x}", static_cast<unsigned char>(c));
  }
}

}  // namespace

void append_json_string(std::string& to, std::string_view text) {
  to += '"';
  while (!text.empty()) {
    const std::size_t run = plain_run(text);
    to += text.substr(0, run);
    text.remove_prefix(run);
    if (text.empty()) break;
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      to += "\\ufffd";
    } else if (length == 1) {
      append_escaped(to, text.front());
    } else {
      to += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  to += '"';
}

JsonWriter& JsonWriter::value(std::string_view text) {
  comma();
  if (plain_run(text) == text.size()) {
    char* at = room(text.size() + 2);
    *at++ = '"';
    at = std::copy_n(text.data(), text.size(), at);
    *at++ = '"';
    used(at);
    return *this;
  }
  text_.resize(size_);
  append_json_string(text_, text);
  size_ = text_.size();
  return *this;
}

void JsonWriter::grow(std::size_t size) {
  const std::size_t wanted = std::max({bytes_at_first, text_.size() * 2, size_ + size});
  text_.resize_and_overwrite(wanted, [](char*, std::size_t all) { return all; });
}

}  // namespace sallyport::ledger
