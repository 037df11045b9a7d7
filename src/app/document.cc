#include "app/document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace sallyport::app {
namespace {

/// One conversion from yaml-cpp's nodes, with the limits that keep aliases of aliases from growing
/// without end.
class Conversion {
 public:
  Conversion(std::shared_ptr<const std::filesystem::path> file, std::vector<Problem>& problems)
      : file_(std::move(file)), problems_(problems) {}

  Value convert(const YAML::Node& node, std::size_t depth) {
    Value value;
    value.place = place_of(node.Mark());
    if (depth > document_depth_max || ++values_ > document_values_max) {
      if (!overflowed_)
        problems_.push_back({value.place, "too many nested or repeated values", ""});
      overflowed_ = true;
      return value;
    }
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        value.kind = Value::Kind::scalar;
        value.scalar = node.Scalar();
        value.quoted = node.Tag() == "!";
        break;
      case YAML::NodeType::Sequence:
        value.kind = Value::Kind::list;
        for (const auto& item : node) value.items.push_back(convert(item, depth + 1));
        break;
      case YAML::NodeType::Map:
        value.kind = Value::Kind::map;
        for (const auto& entry : node) add_entry(value, entry.first, entry.second, depth);
        break;
      default:
        break;
    }
    return value;
  }

 private:
  void add_entry(Value& map, const YAML::Node& key, const YAML::Node& node, std::size_t depth) {
    const Place place = place_of(key.Mark());
    if (!key.IsScalar()) {
      problems_.push_back({place, "a key must be a plain name", ""});
      return;
    }
    const auto same = std::ranges::find(map.entries, key.Scalar(), &Entry::key);
    if (same != map.entries.end()) {
      problems_.push_back({place, fmt::format("the key '{}' is there twice", key.Scalar()),
                           fmt::format("first on line {}", same->place.line)});
      return;
    }
    map.entries.push_back({key.Scalar(), place, std::make_unique<Value>(convert(node, depth + 1))});
  }

  Place place_of(const YAML::Mark& mark) const {
    if (mark.is_null()) return {file_, 1, 1};
    return {file_, static_cast<std::size_t>(mark.line) + 1,
            static_cast<std::size_t>(mark.column) + 1};
  }

  std::shared_ptr<const std::filesystem::path> file_;
  std::vector<Problem>& problems_;
  std::size_t values_ = 0;
  bool overflowed_ = false;
};

/// Takes a document and keeps nothing of it.
class Ignore final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

/// Not YAML::LoadAll: behind a closing bracket too many it finds empty documents without end.
bool has_second_document(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  Ignore ignore;
  return parser.HandleNextDocument(ignore) && parser.HandleNextDocument(ignore);
}

Value empty_map(Place place) {
  Value value;
  value.kind = Value::Kind::map;
  value.place = std::move(place);
  return value;
}

}  // namespace

std::string Place::to_string() const {
  return fmt::format("{}:{}:{}", file ? file->string() : "?", line, column);
}

std::string Problem::to_string() const {
  if (hint.empty()) return fmt::format("{}: {}", place.to_string(), what);
  return fmt::format("{}: {} ({})", place.to_string(), what, hint);
}

const Value* Value::find(std::string_view key) const {
  const auto entry = std::ranges::find(entries, key, &Entry::key);
  return entry == entries.end() ? nullptr : entry->value.get();
}

Value parse_document(const std::string& text, const std::filesystem::path& name,
                     std::vector<Problem>& problems) {
  const auto file = std::make_shared<const std::filesystem::path>(name);
  const Place start{file, 1, 1};
  if (text.size() > document_bytes_max) {
    problems.push_back({start, "the file is larger than 1 MiB", ""});
    return empty_map(start);
  }
  try {
    const YAML::Node document = YAML::Load(text);
    if (has_second_document(text)) {
      problems.push_back({start, "more than one YAML document in the file",
                          "remove the '---', or the bracket that closes nothing"});
    }
    if (!document.IsDefined() || document.IsNull()) return empty_map(start);
    Value value = Conversion(file, problems).convert(document, 0);
    if (value.kind == Value::Kind::map) return value;
    problems.push_back({value.place, "expected keys and values", "for example  data: ./data"});
  } catch (const YAML::Exception& problem) {
    Place place = start;
    if (!problem.mark.is_null()) {
      place.line = static_cast<std::size_t>(problem.mark.line) + 1;
      place.column = static_cast<std::size_t>(problem.mark.column) + 1;
    }
    problems.push_back({place, "not YAML: " + problem.msg, "check the indentation and the quotes"});
  }
  return empty_map(start);
}

Value read_document(const std::filesystem::path& file, std::vector<Problem>& problems) {
  std::error_code error;
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file, error)) {
    const Place start{std::make_shared<const std::filesystem::path>(file), 1, 1};
    problems.push_back({start, "the file cannot be read", "is the path right?"});
    return empty_map(start);
  }
  std::string text(document_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return parse_document(text, file, problems);
}

Value merge(Value base, Value over) {
  if (base.kind != Value::Kind::map || over.kind != Value::Kind::map) return over;
  for (Entry& entry : over.entries) {
    const auto same = std::ranges::find(base.entries, entry.key, &Entry::key);
    if (same == base.entries.end()) {
      base.entries.push_back(std::move(entry));
      continue;
    }
    same->place = entry.place;
    *same->value = merge(std::move(*same->value), std::move(*entry.value));
  }
  base.place = over.place;
  return base;
}

}  // namespace sallyport::app
