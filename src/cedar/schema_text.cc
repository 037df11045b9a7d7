// The text form of a schema.

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cedar/schema_written.h"
#include "cedar/source.h"

namespace sallyport::cedar {
namespace {

/// After the first error every look at the input says `end`, so that each loop runs out by itself.
class Reader {
 public:
  explicit Reader(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  std::expected<Declarations, SchemaError> read() {
    while (!error_ && peek().kind != Token::Kind::end) {
      annotations();
      if (take_word("namespace")) {
        name_space();
      } else {
        declaration("");
      }
    }
    if (error_) return std::unexpected(*error_);
    return std::move(all_);
  }

 private:
  const Token& peek(std::size_t ahead = 0) const {
    return error_ ? tokens_.back() : tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  Token next() {
    const Token token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool take(std::string_view symbol) { return peek().is(symbol) && (next(), true); }
  bool take_word(std::string_view word) { return peek().is_word(word) && (next(), true); }
  void expect(std::string_view symbol) {
    if (!take(symbol)) unexpected(fmt::format("'{}'", symbol));
  }
  void fail_at(Place place, std::string message) {
    if (!error_) error_ = SchemaError{place, std::move(message)};
  }
  void unexpected(std::string_view wanted) {
    const Token& token = peek();
    fail_at(token.offset, token.kind == Token::Kind::end
                              ? fmt::format("expected {}, found the end of the text", wanted)
                              : fmt::format("expected {}, found '{}'", wanted, token.text));
  }

  void annotations() {
    std::set<std::string, std::less<>> seen;
    while (peek().is("@")) {
      const Place place = next().offset;
      if (peek().kind != Token::Kind::identifier) unexpected("the name of an annotation");
      if (!seen.emplace(next().text).second) fail_at(place, "this annotation is given twice");
      if (take("(")) {
        text();
        expect(")");
      }
    }
  }

  std::string word() {
    const Token token = peek();
    if (token.kind != Token::Kind::identifier) unexpected("a name");
    if (is_reserved(token.text) && token.text != "__cedar") {
      fail_at(token.offset, fmt::format("'{}' is reserved and cannot be a name", token.text));
    }
    return std::string(next().text);
  }
  std::string text() {
    if (peek().kind != Token::Kind::string) {
      unexpected("a string in quotes");
      return {};
    }
    auto value = unescape(next());
    if (!value) fail_at(value.error().offset, value.error().message);
    return value ? std::move(*value) : std::string();
  }
  std::string word_or_text() { return peek().kind == Token::Kind::string ? text() : word(); }
  std::string path() {
    std::string name = word();
    while (!error_ && peek().is("::") && peek(1).kind == Token::Kind::identifier) {
      next();
      name += "::" + word();
    }
    return name;
  }
  WrittenName named() {
    const Place place = peek().offset;
    return {path(), place};
  }

  /// One item or more, with commas between them.
  template <class Item>
  void list(Item item) {
    do item();
    while (!error_ && take(","));
  }
  /// One item, or a list in brackets.
  template <class Item>
  void one_or_list(Item item, bool may_be_empty) {
    if (!take("[")) return item();
    if (!may_be_empty || !peek().is("]")) list(item);
    expect("]");
  }

  void name_space() {
    const Token token = peek();
    const std::string space = path();
    if (space == "__cedar" || space.starts_with("__cedar::") ||
        space.find("::__cedar") != std::string::npos) {
      fail_at(token.offset, "names with __cedar are reserved");
    }
    if (!spaces_.insert(space).second) {
      fail_at(token.offset, "namespace " + space + " is declared twice");
    }
    expect("{");
    while (!error_ && !peek().is("}")) {
      annotations();
      declaration(space);
    }
    expect("}");
  }

  void declaration(const std::string& space) {
    if (take_word("entity")) return entity(space);
    if (take_word("action")) return action(space);
    if (take_word("type")) return common(space);
    unexpected("entity, action, type or namespace");
  }

  void refuse_reserved(std::string_view name, Place place, bool common) {
    if (std::string bad = bad_declared_name(name, common); !bad.empty()) {
      fail_at(place, std::move(bad));
    }
  }

  void entity(const std::string& space) {
    WrittenEntity written{.space = space};
    std::vector<WrittenName> declared;
    list([&] {
      const Place place = peek().offset;
      declared.push_back({word(), place});
      refuse_reserved(declared.back().name, place, false);
    });
    if (take_word("enum")) {
      written.ids.emplace();
      expect("[");
      list([&] { written.ids->push_back(text()); });
      expect("]");
    } else {
      if (take_word("in")) one_or_list([&] { written.parents.push_back(named()); }, true);
      if (take("=") || peek().is("{")) written.shape = record();
      if (take_word("tags")) written.tags = type();
    }
    expect(";");
    for (const WrittenName& name : declared) {
      written.name = name.name;
      written.place = name.place;
      all_.entities.push_back(written);
    }
  }

  WrittenActionRef action_ref() {
    const Place place = peek().offset;
    if (peek().kind == Token::Kind::string) return {"", text(), place};
    std::string name = path();
    if (take("::")) return {std::move(name), text(), place};
    if (name.find("::") != std::string::npos) unexpected("'::' and the action in quotes");
    return {"", std::move(name), place};
  }

  void action(const std::string& space) {
    WrittenAction written{.space = space};
    std::vector<WrittenName> declared;
    list([&] {
      const Place place = peek().offset;
      declared.push_back({word_or_text(), place});
    });
    if (take_word("in")) {
      one_or_list([&] { written.parents.push_back(action_ref()); }, false);
    }
    if (take_word("appliesTo")) applies_to(written);
    if (take_word("attributes")) {
      expect("{");
      expect("}");
    }
    expect(";");
    for (const WrittenName& name : declared) {
      written.id = name.name;
      written.place = name.place;
      all_.actions.push_back(written);
    }
  }

  void applies_to(WrittenAction& written) {
    const Place place = peek().offset;
    bool has_context = false;
    expect("{");
    do {
      if (peek().is("}") && !(written.principals.empty() && written.resources.empty())) break;
      const Place at = peek().offset;
      const std::string what = word();
      expect(":");
      if (what == "principal") {
        types(written.principals, what, at);
      } else if (what == "resource") {
        types(written.resources, what, at);
      } else if (what == "context") {
        if (has_context) fail_at(at, "context is given twice");
        has_context = true;
        written.context = context();
      } else {
        fail_at(at, "expected principal, resource or context, found '" + what + "'");
      }
    } while (!error_ && take(","));
    expect("}");
    if (written.principals.empty()) fail_at(place, "an action applies to a principal");
    if (written.resources.empty()) fail_at(place, "an action applies to a resource");
  }

  void types(std::vector<WrittenName>& names, std::string_view what, Place place) {
    if (!names.empty()) fail_at(place, fmt::format("{} is given twice", what));
    one_or_list([&] { names.push_back(named()); }, false);
  }

  WrittenType context() {
    if (peek().is("{")) return record();
    const Place place = peek().offset;
    return {.form = WrittenType::Form::common, .place = place, .name = path()};
  }

  void common(const std::string& space) {
    const Place place = peek().offset;
    std::string name = word();
    refuse_reserved(name, place, true);
    expect("=");
    all_.commons.push_back({space, std::move(name), place, type()});
    expect(";");
  }

  void enter(Place place) {
    if (++nesting_ > type_nesting_max) {
      fail_at(place, fmt::format("types are nested more than {} deep", type_nesting_max));
    }
  }

  WrittenType type() {
    if (peek().is("{")) return record();
    WrittenType written{.form = WrittenType::Form::name, .place = peek().offset};
    enter(written.place);
    if (peek().is_word("Set") && peek(1).is("<")) {
      next();
      next();
      written.form = WrittenType::Form::set;
      written.members.push_back({{}, true, type()});
      expect(">");
    } else {
      written.name = path();
    }
    --nesting_;
    return written;
  }

  WrittenType record() {
    WrittenType written{.form = WrittenType::Form::record, .place = peek().offset};
    enter(written.place);
    expect("{");
    std::set<std::string> seen;
    while (!error_ && !peek().is("}")) {
      annotations();
      const Place place = peek().offset;
      WrittenType::Member member{word_or_text(), true, {}};
      member.required = !take("?");
      expect(":");
      member.type = type();
      if (!seen.insert(member.name).second) {
        fail_at(place, "attribute " + member.name + " is declared twice");
      }
      written.members.push_back(std::move(member));
      if (!take(",")) break;
    }
    expect("}");
    --nesting_;
    return written;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::uint32_t nesting_ = 0;
  std::optional<SchemaError> error_;
  std::set<std::string> spaces_;
  Declarations all_;
};

}  // namespace

std::string in_space(std::string_view space, std::string_view name) {
  return space.empty() ? std::string(name) : fmt::format("{}::{}", space, name);
}

std::string bad_declared_name(std::string_view name, bool common) {
  if (name == "__cedar") return "names with __cedar are reserved";
  if (!common) return name == "Action" ? "the type Action is that of actions" : "";
  for (const std::string_view taken :
       {"Bool", "Boolean", "Entity", "Extension", "Long", "Record", "Set", "String"}) {
    if (name == taken) return fmt::format("{} is built in and cannot be declared", name);
  }
  return "";
}

std::expected<Declarations, SchemaError> read_schema_text(std::string_view text) {
  if (!is_utf8(text)) return std::unexpected(SchemaError{0, "not UTF-8"});
  auto tokens = lex(text);
  if (!tokens) return std::unexpected(SchemaError{tokens.error().offset, tokens.error().message});
  return Reader(std::move(*tokens)).read();
}

}  // namespace sallyport::cedar
