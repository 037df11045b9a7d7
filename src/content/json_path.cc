#include "content/json_path.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "content/selector.h"

namespace sallyport::content {
namespace {

bool in_name(char c) {
  const auto u = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || u >= 0x80;
}

class PathReader {
 public:
  explicit PathReader(std::string_view path) : path_(path) {}

  Result<std::vector<JsonPathStep>> read() {
    if (path_.size() > path_bytes_max || !is_utf8(path_)) return wrong("too long, or not UTF-8");
    if (!path_.starts_with('$'))
      return wrong("a path begins with $, for example $.customers[*].email");
    at_ = 1;
    std::vector<JsonPathStep> steps;
    while (at_ < path_.size()) {
      auto step = read_step();
      if (!step) return fail(step);
      steps.push_back(*std::move(step));
    }
    return steps;
  }

 private:
  std::unexpected<Error> wrong(std::string_view what) const {
    return fail(Errc::invalid,
                fmt::format("path '{}', character {}: {}", path_.substr(0, 100), at_ + 1, what));
  }
  bool take(std::string_view text) {
    if (!path_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }

  Result<JsonPathStep> read_step() {
    JsonPathStep step;
    step.anywhere = take("..");
    if (!step.anywhere && path_[at_] != '[' && !take(".")) {
      return wrong("expected .name, ..name, ['name'] or [*]");
    }
    if (take("[")) return read_bracket(std::move(step));
    if (take("*")) return step;
    const std::size_t begin = at_;
    while (at_ < path_.size() && in_name(path_[at_])) ++at_;
    if (at_ == begin)
      return wrong("expected a name; other than letters, digits, _ and - need ['...']");
    step.name = path_.substr(begin, at_ - begin);
    return step;
  }

  Result<JsonPathStep> read_bracket(JsonPathStep step) {
    if (take("*]")) return step;
    const char quote = at_ < path_.size() ? path_[at_] : '\0';
    if (quote != '\'' && quote != '"') {
      return wrong("only [*] and ['name']; indexes, slices and filters are not supported");
    }
    ++at_;
    std::string name;
    while (at_ < path_.size() && path_[at_] != quote) {
      if (path_[at_] == '\\' && ++at_ < path_.size() &&
          !std::string_view("'\"\\").contains(path_[at_])) {
        return wrong("behind a backslash only a quote or a backslash");
      }
      if (at_ < path_.size()) name += path_[at_++];
    }
    if (at_ == path_.size()) return wrong("the quote is not closed");
    ++at_;
    if (!take("]")) return wrong("expected ]");
    step.name = std::move(name);
    return step;
  }

  std::string_view path_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::vector<JsonPathStep>> parse_json_path(std::string_view path) {
  return PathReader(path).read();
}

}  // namespace sallyport::content
