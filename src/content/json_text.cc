#include "content/json_text.h"

#include <fmt/format.h>

#include "http/text.h"

namespace sallyport::content {
namespace {

void append_utf8(unsigned code, std::string& to) {
  const auto put = [&](unsigned byte) { to += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

}  // namespace

void Unescaper::end_high(std::string& to) {
  if (high_ == 0) return;
  append_utf8(0xfffd, to);
  ambiguous_ = true;
  high_ = 0;
}

void Unescaper::put(unsigned code, std::string& to) {
  if (code >= 0xdc00 && code < 0xe000 && high_ != 0) {
    append_utf8(0x10000 + ((high_ - 0xd800) << 10) + (code - 0xdc00), to);
    high_ = 0;
    return;
  }
  end_high(to);
  if (code >= 0xd800 && code < 0xdc00) {
    high_ = code;
  } else if (code >= 0xdc00 && code < 0xe000) {
    append_utf8(0xfffd, to);
    ambiguous_ = true;
  } else {
    append_utf8(code, to);
  }
}

void Unescaper::feed(std::string_view raw, std::string& to) {
  for (std::size_t i = 0; i < raw.size();) {
    if (at_ == At::text) {
      const std::size_t next = std::min(raw.find('\\', i), raw.size());
      if (next > i) end_high(to);
      to.append(raw.substr(i, next - i));
      if (next < raw.size()) at_ = At::escape;
      i = next + 1;
    } else if (at_ == At::escape) {
      static constexpr std::string_view names = "\"\\/bfnrt";
      static constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
      const std::size_t known = names.find(raw[i++]);
      at_ = known == std::string_view::npos ? At::hex : At::text;
      code_ = digits_ = 0;
      if (at_ == At::text) put(static_cast<unsigned char>(meant[known]), to);
    } else {
      code_ = code_ << 4 | static_cast<unsigned>(http::hex_value(raw[i++]));
      if (++digits_ < 4) continue;
      at_ = At::text;
      put(code_, to);
    }
  }
}

void Unescaper::finish(std::string& to) {
  end_high(to);
  at_ = At::text;
}

std::optional<std::string> unescape_name(std::string_view raw) {
  Unescaper unescaper;
  std::string name;
  unescaper.feed(raw, name);
  unescaper.finish(name);
  if (unescaper.ambiguous() || name.contains('\0')) return std::nullopt;
  return name;
}

void append_escaped(ByteVector& out, std::string_view text) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
    append(out, text.substr(begin, i - begin));
    begin = i + 1;
    if (c == '"' || c == '\\') {
      append(out, std::string{'\\', c});
    } else {
      append(out, fmt::format("\\u{:04x}", static_cast<unsigned>(c)));
    }
  }
  append(out, text.substr(begin));
}

void append_quoted(ByteVector& out, std::string_view text) {
  append(out, "\"");
  append_escaped(out, text);
  append(out, "\"");
}

}  // namespace sallyport::content
