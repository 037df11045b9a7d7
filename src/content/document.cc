#include "content/document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "base/bytes.h"
#include "content/json_lexer.h"
#include "content/json_text.h"

namespace sallyport::content {
namespace {

/// Makes the tree from values that come in the order they are written. Throws what is wrong, as
/// text, for it is called from within the parser of YAML.
class TreeBuilder {
 public:
  struct Wrong {
    std::size_t line;
    std::string what;
  };

  void scalar(std::size_t line, std::string text, bool null, bool quoted) {
    if (wants_name()) return name(line, std::move(text));
    DocumentValue& value = add(line);
    value.kind = null ? DocumentValue::Kind::null : DocumentValue::Kind::scalar;
    value.text = std::move(text);
    value.quoted = quoted;
  }

  void begin(std::size_t line, bool map) {
    if (wants_name()) throw Wrong{line, "a key must be a plain name"};
    if (open_.size() >= document_depth_max) throw Wrong{line, "nested too deeply"};
    DocumentValue& value = add(line);
    value.kind = map ? DocumentValue::Kind::map : DocumentValue::Kind::list;
    open_.push_back({.value = &value});
  }

  void end() { open_.pop_back(); }

  DocumentValue take() { return std::move(root_); }

 private:
  struct Open {
    DocumentValue* value;
    bool named = false;  // of a map: the name is there, its value comes next
    std::set<std::string> names = {};
  };

  bool wants_name() const {
    return !open_.empty() && open_.back().value->is_map() && !open_.back().named;
  }

  void name(std::size_t line, std::string text) {
    Open& open = open_.back();
    if (!open.names.insert(text).second) {
      throw Wrong{line, fmt::format("the key '{}' is there twice", text)};
    }
    open.value->members.push_back({std::move(text), {.line = line}});
    open.named = true;
  }

  DocumentValue& add(std::size_t line) {
    if (++values_ > document_values_max) throw Wrong{line, "too many values"};
    if (open_.empty()) {
      root_.line = line;
      return root_;
    }
    Open& open = open_.back();
    if (open.value->is_map()) {
      open.named = false;
      return open.value->members.back().value;
    }
    // What is open below is always the last one, so that growing moves nothing that is open.
    open.value->items.push_back({.line = line});
    return open.value->items.back();
  }

  DocumentValue root_;
  std::vector<Open> open_;
  std::size_t values_ = 0;
};

std::size_t line_of(const YAML::Mark& mark) {
  return mark.is_null() ? 1 : static_cast<std::size_t>(mark.line) + 1;
}

class YamlEvents final : public YAML::EventHandler {
 public:
  explicit YamlEvents(TreeBuilder& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    tree_.scalar(line_of(mark), "", true, false);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw TreeBuilder::Wrong{line_of(mark),
                             "YAML aliases are not supported (write it out, or use $ref)"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& text) override {
    const bool plain = tag == "?";
    tree_.scalar(line_of(mark), text, plain && (text == "null" || text == "~"), !plain);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    tree_.begin(line_of(mark), false);
  }
  void OnSequenceEnd() override { tree_.end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    tree_.begin(line_of(mark), true);
  }
  void OnMapEnd() override { tree_.end(); }

 private:
  TreeBuilder& tree_;
};

void read_yaml(std::string_view text, TreeBuilder& tree) {
  std::istringstream in{std::string(text)};
  YAML::Parser parser(in);
  YamlEvents events(tree);
  try {
    if (!parser.HandleNextDocument(events)) throw TreeBuilder::Wrong{1, "the file is empty"};
    TreeBuilder more;
    YamlEvents ignored(more);
    if (parser.HandleNextDocument(ignored)) {
      throw TreeBuilder::Wrong{1, "more than one YAML document in the file"};
    }
  } catch (const YAML::Exception& problem) {
    throw TreeBuilder::Wrong{line_of(problem.mark), "not YAML: " + problem.msg};
  }
}

std::string text_of(const Token& token) {
  const std::string_view raw = token.raw.substr(1, token.raw.size() - 2);
  if (!token.escaped) return std::string(raw);
  Unescaper unescaper;
  std::string text;
  unescaper.feed(raw, text);
  unescaper.finish(text);
  return text;
}

void read_json(std::string_view text, TreeBuilder& tree) {
  JsonLexer lexer({.depth_max = document_depth_max, .name_bytes_max = 4096});
  const char* at = text.data();
  const char* counted = at;
  std::size_t line = 1;
  while (true) {
    const Token token = lexer.next(at, text.data() + text.size());
    line += static_cast<std::size_t>(std::count(counted, at, '\n'));
    counted = at;
    switch (token.kind) {
      case Token::Kind::none: {
        auto done = lexer.finish();
        if (!done) throw TreeBuilder::Wrong{line, "not JSON: " + done.error().detail};
        return;
      }
      case Token::Kind::failed:
        throw TreeBuilder::Wrong{line, "not JSON: " + lexer.error().detail};
      case Token::Kind::begin_object:
      case Token::Kind::begin_array:
        tree.begin(line, token.kind == Token::Kind::begin_object);
        break;
      case Token::Kind::end_object:
      case Token::Kind::end_array:
        tree.end();
        break;
      case Token::Kind::name:
      case Token::Kind::string:
        if (token.last) tree.scalar(line, text_of(token), false, true);
        break;
      case Token::Kind::number:
      case Token::Kind::literal:
        if (token.last) tree.scalar(line, std::string(token.raw), token.raw == "null", false);
        break;
    }
  }
}

}  // namespace

const DocumentValue* DocumentValue::find(std::string_view name) const {
  const auto member = std::ranges::find(members, name, &DocumentMember::name);
  return member == members.end() ? nullptr : &member->value;
}

namespace {

Result<DocumentValue> read(std::string_view text, bool json) {
  if (text.size() > document_bytes_max) return fail(Errc::too_large, "1: the file is above 16 MiB");
  if (!is_utf8(text)) return fail(Errc::malformed, "1: the file is not UTF-8");
  TreeBuilder tree;
  try {
    if (json) {
      read_json(text, tree);
    } else {
      read_yaml(text, tree);
    }
  } catch (const TreeBuilder::Wrong& wrong) {
    return fail(Errc::malformed, fmt::format("{}: {}", wrong.line, wrong.what));
  }
  return tree.take();
}

}  // namespace

Result<DocumentValue> read_document(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return read(text, begin != std::string_view::npos && text[begin] == '{');
}

Result<DocumentValue> read_json_document(std::string_view text) {
  return read(text, true);
}

}  // namespace sallyport::content
