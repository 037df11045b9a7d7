#include "protocol/postgres/sql/canonical.h"

#include <algorithm>
#include <array>

namespace sallyport::postgres::sql {
namespace {

/// Places in the text, and nothing else, are called so in the trees of libpg_query.
bool is_place(std::string_view key) {
  static constexpr std::array<std::string_view, 9> names = {
      "location",   "stmt_location", "stmt_len",         "name_location", "type_location",
      "list_start", "list_end",      "rexpr_list_start", "rexpr_list_end"};
  return std::ranges::find(names, key) != names.end();
}

class Writer {
 public:
  Writer(const Replacements& replacements, std::string& out)
      : replacements_(replacements), out_(out) {}

  void value(Value value) {
    if (Object fields; value.get(fields) == simdjson::SUCCESS) {
      object(fields);
    } else if (Array items; value.get(items) == simdjson::SUCCESS) {
      out_ += '[';
      for (Value item : items) {
        if (!replacements_.before.empty()) before(item);
        this->value(item);
        out_ += ',';
      }
      out_ += ']';
    } else if (std::string_view text; value.get(text) == simdjson::SUCCESS) {
      out_ += canonical_text(text);
    } else if (bool truth = false; value.get(truth) == simdjson::SUCCESS) {
      out_ += truth ? "true" : "false";
    } else if (std::int64_t number = 0; value.get(number) == simdjson::SUCCESS) {
      out_ += std::to_string(number);
    } else if (double real = 0; value.get(real) == simdjson::SUCCESS) {
      out_ += std::to_string(real);
    } else {
      out_ += "null";
    }
  }

 private:
  void object(Object fields) {
    out_ += '{';
    for (const auto& [key, inner] : fields) {
      if (is_place(key)) continue;
      if (key == "RangeVar" && relation(inner)) continue;
      out_ += canonical_text(key);
      out_ += ':';
      if (key == "ColumnRef" && column(inner)) continue;
      if (key == "CopyStmt" && copy(inner)) continue;
      value(inner);
      out_ += ',';
    }
    out_ += '}';
  }

  void before(Value item) {
    const auto column = node(item);
    if (!column || column->kind != "ColumnRef") return;
    const auto found =
        replacements_.before.find(static_cast<std::size_t>(number(column->fields, "location")));
    if (found != replacements_.before.end()) out_ += found->second;
  }

  bool relation(Value inner) {
    Object fields;
    if (replacements_.relations.empty() || inner.get(fields) != simdjson::SUCCESS) return false;
    const auto found =
        replacements_.relations.find(static_cast<std::size_t>(number(fields, "location")));
    if (found == replacements_.relations.end()) return false;
    out_ += found->second;
    return true;
  }

  bool column(Value inner) {
    Object fields;
    if (replacements_.shortened.empty() || inner.get(fields) != simdjson::SUCCESS) return false;
    const auto found =
        replacements_.shortened.find(static_cast<std::size_t>(number(fields, "location")));
    const auto names = array(fields, "fields");
    if (found == replacements_.shortened.end() || !names) return false;
    out_ += "{\"fields\":[";
    std::size_t index = 0;
    for (Value name : *names) {
      if (index++ < found->second) continue;
      value(name);
      out_ += ',';
    }
    out_ += "],},";
    return true;
  }

  bool copy(Value inner) {
    Object fields;
    if (replacements_.copied.empty() || inner.get(fields) != simdjson::SUCCESS) return false;
    out_ += "{\"query\":" + replacements_.copied + ',';
    for (const auto& [key, part] : fields) {
      if (key == "relation" || key == "attlist" || is_place(key)) continue;
      out_ += canonical_text(key);
      out_ += ':';
      value(part);
      out_ += ',';
    }
    out_ += "},";
    return true;
  }

  const Replacements& replacements_;
  std::string& out_;
};

}  // namespace

std::string canonical_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string canonical(Value tree, const Replacements& replacements) {
  std::string out;
  Writer(replacements, out).value(tree);
  return out;
}

}  // namespace sallyport::postgres::sql
