#include "protocol/http/leaks.h"

#include <algorithm>

#include "base/bytes.h"

namespace sallyport::web {

bool Leaks::in(const http::Headers& headers) const {
  return std::ranges::any_of(headers.all, [&](const http::Header& header) {
    return found(header.value) || found(header.name);
  });
}

bool Leaks::take(std::string_view piece, std::string& out) {
  if (secrets_.empty()) {
    out += piece;
    return true;
  }
  std::string joined;
  if (!held_.empty()) {
    joined = std::move(held_);
    joined += piece;
    piece = joined;
    held_.clear();
  }
  if (found(piece)) return false;
  const std::size_t kept = begun(piece);
  held_ = piece.substr(piece.size() - kept);
  out += piece.substr(0, piece.size() - kept);
  return true;
}

bool Leaks::found(std::string_view text) const {
  return std::ranges::any_of(secrets_,
                             [&](const std::string& secret) { return text.contains(secret); });
}

/// How many bytes at the end could be the beginning of a secret.
std::size_t Leaks::begun(std::string_view text) const {
  std::size_t longest = 0;
  for (const std::string& secret : secrets_) {
    for (std::size_t size = std::min(secret.size() - 1, text.size()); size > longest; --size) {
      if (!text.ends_with(std::string_view(secret).substr(0, size))) continue;
      longest = size;
      break;
    }
  }
  return longest;
}

std::vector<std::string> secrets_of(const http::Headers& credential) {
  std::vector<std::string> secrets;
  const auto add = [&](std::string_view secret) {
    if (secret.size() >= Leaks::bytes_min) secrets.emplace_back(secret);
  };
  for (const http::Header& header : credential.all) {
    const auto space = header.value.find(' ');
    const std::string_view value = header.value;
    if (space == value.npos) {
      add(value);
      continue;
    }
    const auto token = value.substr(space + 1);
    add(token);
    const auto pair = from_base64(token);
    if (!pair) continue;
    const auto text = as_text(*pair);
    add(text.substr(std::min(text.size(), text.find(':') + 1)));
  }
  return secrets;
}

}  // namespace sallyport::web
