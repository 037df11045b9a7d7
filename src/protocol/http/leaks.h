#pragma once
// Leaks: looks for the target's credential in what the target says, for a target that shows its
// callers what they sent. A secret torn over two pieces is found; an encoded one is not.

#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace sallyport::web {

class Leaks {
 public:
  /// What is shorter than this is in any text by chance, and not looked for.
  static constexpr std::size_t bytes_min = 8;

  /// `secrets` must outlive it.
  explicit Leaks(const std::vector<std::string>& secrets) : secrets_(secrets) {}

  bool in(const http::Headers& headers) const;
  /// Appends to `out` what may go out by now. False if a secret is in it: nothing more may.
  bool take(std::string_view piece, std::string& out);
  /// At the end: what was held back because it could have been a beginning.
  void finish(std::string& out) { out += held_; }

 private:
  bool found(std::string_view text) const;
  std::size_t begun(std::string_view text) const;

  const std::vector<std::string>& secrets_;
  std::string held_;
};

/// What must not come back of these fields: their values, and what stands behind "Basic" or
/// "Bearer" in them, as it is and decoded.
std::vector<std::string> secrets_of(const http::Headers& credential);

}  // namespace sallyport::web
