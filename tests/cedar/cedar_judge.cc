// cedar-judge: answers the questions of the differential test. One JSON object a line comes in, one
// goes out: {"kind": "validate", "schema": ..., "policies": "..."} -> {"ok": true} and so on.
// differential.mjs asks the reference the same.

#include <iostream>
#include <string>

#include <fmt/format.h>
#include <simdjson.h>

#include "cedar/json.h"
#include "cedar/validate.h"

namespace {

namespace dom = simdjson::dom;
using namespace sallyport;
using namespace sallyport::cedar;

std::string escaped(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string refused(std::string_view why) {
  return "{\"ok\":false,\"error\":" + escaped(why) + "}";
}

Result<Schema> schema_of(dom::element json) {
  std::string_view text;
  if (!json.get(text)) return Schema::parse("schema", text);
  return Schema::parse_json("schema", simdjson::to_string(json));
}

std::string answer(dom::element question) {
  const std::string_view kind = question["kind"];
  auto schema = schema_of(question["schema"]);
  if (!schema) return refused(schema.error().detail);
  if (kind == "schema") return "{\"ok\":true}";
  auto set = PolicySet::parse("policies", std::string_view(question["policies"]));
  if (!set) return refused(set.error().detail);
  const Validation validation = validate(*set, *schema);
  return validation.ok() ? "{\"ok\":true}" : refused(validation.errors.front().to_string());
}

}  // namespace

int main() {
  dom::parser parser;
  for (std::string line; std::getline(std::cin, line);) {
    dom::element question;
    if (parser.parse(line).get(question)) {
      std::cout << refused("no JSON") << "\n";
      continue;
    }
    std::cout << answer(question) << "\n" << std::flush;
  }
  return 0;
}
