#include "content/request_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "content/json_path.h"
#include "content/json_text.h"
#include "content/name_set.h"

namespace sallyport::content {
namespace {

using Kind = Token::Kind;

constexpr std::size_t field_bytes_max = 4096;

/// Where the reader is, as names; an element of an array has none.
class Reader {
 public:
  Reader(std::span<const std::string> paths, const JsonLimits& limits)
      : limits_(limits), names_(limits.members_max) {
    for (const std::string& path : paths) wanted_.push_back({path, {}});
  }

  Result<std::map<std::string, RequestField>> read(std::string_view body) {
    if (auto done = parse_paths(); !done) return fail(done);
    JsonLexer lexer(limits_);
    const char* at = body.data();
    while (true) {
      const Token token = lexer.next(at, body.data() + body.size());
      if (token.kind == Kind::failed) return std::unexpected(lexer.error());
      if (token.kind == Kind::none) break;
      if (!token.last) continue;
      if (auto done = take(token); !done) return fail(done);
    }
    auto end = lexer.finish();
    if (!end) return fail(end);
    return std::move(fields_);
  }

 private:
  struct Wanted {
    std::string path;
    std::vector<std::string> names;
  };
  struct Frame {
    bool object;
    NameSet::Mark names;
  };

  Result<void> parse_paths() {
    for (Wanted& wanted : wanted_) {
      auto steps = parse_json_path(wanted.path);
      if (!steps) return fail(steps);
      for (JsonPathStep& step : *steps) {
        if (!step.name || step.anywhere) {
          return fail(Errc::invalid, fmt::format("path '{}' must be of names only", wanted.path));
        }
        wanted.names.push_back(*std::move(step.name));
      }
    }
    return ok();
  }

  Result<void> take(const Token& token) {
    switch (token.kind) {
      case Kind::begin_object:
      case Kind::begin_array:
        if (wanted() != nullptr) return not_a_value();
        // What is in an array is at no path of names.
        frames_.push_back({token.kind == Kind::begin_object, names_.begin_object()});
        if (token.kind == Kind::begin_array) arrays_ += 1;
        path_.emplace_back();
        return ok();
      case Kind::end_object:
      case Kind::end_array:
        if (frames_.back().object) names_.end_object(frames_.back().names);
        if (token.kind == Kind::end_array) arrays_ -= 1;
        frames_.pop_back();
        path_.pop_back();
        return ok();
      case Kind::name:
        return name(token);
      default:
        return value(token);
    }
  }

  Result<void> name(const Token& token) {
    auto name = unescape_name(token.raw.substr(1, token.raw.size() - 2));
    if (!name) return fail(Errc::malformed, "the name of a member is not a text");
    switch (names_.add(frames_.back().names, hash_name(*name))) {
      case NameSet::Added::fresh:
        break;
      case NameSet::Added::duplicate:
        return fail(Errc::malformed, "an object has the same name twice");
      case NameSet::Added::too_many:
        return fail(Errc::too_large, "too many names");
    }
    path_.back() = *std::move(name);
    return ok();
  }

  const Wanted* wanted() const {
    if (arrays_ > 0) return nullptr;
    const auto found = std::ranges::find(wanted_, path_, &Wanted::names);
    return found == wanted_.end() ? nullptr : &*found;
  }

  std::unexpected<Error> not_a_value() const {
    return fail(Errc::malformed,
                fmt::format("{} is not a value that a policy can see", wanted()->path));
  }

  Result<void> value(const Token& token) {
    const Wanted* const at = wanted();
    if (at == nullptr) return ok();
    RequestField field{.value = std::string(token.raw)};
    if (token.kind == Kind::string) {
      field.value.clear();
      Unescaper unescaper;
      unescaper.feed(token.raw.substr(1, token.raw.size() - 2), field.value);
      unescaper.finish(field.value);
      if (unescaper.ambiguous()) return not_a_value();
    } else {
      field.kind = token.kind == Kind::number ? RequestField::Kind::number
                   : token.raw == "null"      ? RequestField::Kind::null
                                              : RequestField::Kind::boolean;
    }
    if (field.value.size() > field_bytes_max) {
      return fail(Errc::too_large, fmt::format("{} is above {} bytes", at->path, field_bytes_max));
    }
    fields_.emplace(at->path, std::move(field));
    return ok();
  }

  JsonLimits limits_;
  std::vector<Wanted> wanted_;
  NameSet names_;
  std::vector<Frame> frames_;
  std::vector<std::string> path_;
  std::size_t arrays_ = 0;
  std::map<std::string, RequestField> fields_;
};

}  // namespace

Result<std::map<std::string, RequestField>> request_fields(std::string_view body,
                                                           std::span<const std::string> paths,
                                                           const JsonLimits& limits) {
  return Reader(paths, limits).read(body);
}

}  // namespace sallyport::content
