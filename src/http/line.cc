#include "http/line.h"

#include <algorithm>

#include "http/text.h"

namespace sallyport::http {

Decoded<std::optional<std::string_view>> LineReader::take(Bytes& input, std::size_t bytes_max,
                                                          int status_if_long) {
  if (complete_) {
    line_.clear();
    complete_ = false;
  }
  while (!input.empty()) {
    const auto text = as_text(input);
    if (after_cr_) {
      if (text.front() != '\n') return reject(400, "bare CR");
      input = input.subspan(1);
      after_cr_ = false;
      complete_ = true;
      return line_;
    }
    const auto run =
        static_cast<std::size_t>(std::ranges::find_if_not(text, is_field_char) - text.begin());
    if (run > bytes_max - line_.size()) return reject(status_if_long, "line too long");
    line_.append(text.substr(0, run));
    input = input.subspan(run);
    if (input.empty()) break;
    if (text[run] == '\n') return reject(400, "bare LF");
    if (text[run] != '\r') return reject(400, "control character");
    after_cr_ = true;
    input = input.subspan(1);
  }
  return std::nullopt;
}

}  // namespace sallyport::http
