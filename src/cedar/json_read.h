#pragma once
// Strict reading of parsed JSON, shared by the readers of schemas and policies: every key is known
// or refused, no key comes twice, and an error says where it is as a path ("NS/actions/view").
// Inside of this room only.

#include <expected>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/result.h"

namespace sallyport::cedar {

/// Where in a document the reader is.
class JsonPath {
 public:
  class Step {
   public:
    Step(JsonPath& path, std::string_view name) : path_(path), length_(path.text_.size()) {
      if (!path.text_.empty()) path.text_ += '/';
      path.text_ += name;
    }
    ~Step() { path_.text_.resize(length_); }
    Step(const Step&) = delete;

   private:
    JsonPath& path_;
    std::size_t length_;
  };

  const std::string& text() const { return text_; }
  std::unexpected<Error> fail(std::string_view what) const {
    return sallyport::fail(Errc::malformed,
                           text_.empty() ? std::string(what) : fmt::format("{}: {}", text_, what));
  }

 private:
  std::string text_;
};

/// The object's members, if none comes twice.
Result<simdjson::dom::object> json_object(simdjson::dom::element json, const JsonPath& path);
/// The same, and every key is one of these.
Result<simdjson::dom::object> json_object(simdjson::dom::element json, const JsonPath& path,
                                          std::initializer_list<std::string_view> keys);
Result<simdjson::dom::array> json_array(simdjson::dom::element json, const JsonPath& path);
Result<std::string> json_string(simdjson::dom::element json, const JsonPath& path);
Result<bool> json_bool(simdjson::dom::element json, const JsonPath& path);
/// The member of that name, or an error that says it is missing.
Result<simdjson::dom::element> json_member(simdjson::dom::object object, std::string_view key,
                                           const JsonPath& path);
inline bool json_has(simdjson::dom::object object, std::string_view key) {
  return object[key].error() == simdjson::SUCCESS;
}

/// Parses, within limits. The result lives as long as `parser`.
Result<simdjson::dom::element> json_parse(simdjson::dom::parser& parser, std::string_view json,
                                          std::size_t bytes_max, std::size_t depth_max);

/// "Ns::User": names and "::", nothing reserved but __cedar.
bool is_type_path(std::string_view name);

}  // namespace sallyport::cedar
