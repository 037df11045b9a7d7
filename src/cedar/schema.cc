#include "cedar/schema.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cedar/lexer.h"
#include "cedar/source.h"

namespace sallyport::cedar {
namespace {

constexpr std::uint32_t type_nesting_max = 64;
constexpr std::size_t resolved_types_max = 1'000'000;  // after common types were put in

/// A type as written: names are not yet known to be common types, entities or built in.
struct Written {
  enum class Form : std::uint8_t { name, set, record };
  struct Member;
  Form form = Form::record;
  std::uint32_t offset = 0;
  std::string name;
  std::vector<Member> members;  // set: the element
};
struct Written::Member {
  std::string name;
  bool required = true;
  Written type;
};

struct WrittenEntity {
  EntityType entity;
  std::string space;
  Written shape;
  std::optional<Written> tags;
  std::uint32_t offset = 0;
};

struct WrittenAction {
  ActionType action;
  std::string space;
  Written context;
  std::uint32_t offset = 0;
};

struct WrittenCommon {
  std::string space;
  Written type;
};

struct Declarations {
  std::vector<WrittenEntity> entities;
  std::vector<WrittenAction> actions;
  std::map<std::string, WrittenCommon, std::less<>> commons;
};

std::string in_space(std::string_view space, std::string_view name) {
  return space.empty() ? std::string(name) : fmt::format("{}::{}", space, name);
}

class Reader {
 public:
  explicit Reader(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  std::expected<Declarations, SyntaxError> read() {
    while (!error_ && peek().kind != Token::Kind::end) {
      annotations();
      if (take_word("namespace")) {
        const std::string space = path();
        expect("{");
        while (!error_ && !peek().is("}")) declaration(space);
        expect("}");
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
  void fail_at(std::uint32_t offset, std::string message) {
    if (!error_) error_ = SyntaxError{offset, std::move(message)};
  }
  void unexpected(std::string_view wanted) {
    const Token& token = peek();
    fail_at(token.offset, token.kind == Token::Kind::end
                              ? fmt::format("expected {}, found the end of the text", wanted)
                              : fmt::format("expected {}, found '{}'", wanted, token.text));
  }

  void annotations() {
    while (take("@")) {
      word();
      if (take("(")) {
        text();
        expect(")");
      }
    }
  }

  std::string word() {
    if (peek().kind != Token::Kind::identifier) unexpected("a name");
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

  /// One item, or a list in brackets.
  template <class Item>
  void list(Item item) {
    if (!take("[")) return item();
    while (!error_ && !peek().is("]")) {
      item();
      if (!take(",")) break;
    }
    expect("]");
  }

  std::vector<std::string> names() {
    std::vector<std::string> all;
    do all.push_back(word_or_text());
    while (!error_ && take(","));
    return all;
  }

  void declaration(const std::string& space) {
    annotations();
    if (take_word("entity")) return entity(space);
    if (take_word("action")) return action(space);
    if (take_word("type")) return common(space);
    unexpected("entity, action, type or namespace");
  }

  void entity(const std::string& space) {
    WrittenEntity written{.space = space, .offset = peek().offset};
    const std::vector<std::string> declared = names();
    if (take_word("enum")) {
      written.entity.is_enum = true;
      list([&] { written.entity.ids.push_back(text()); });
    } else {
      if (take_word("in")) list([&] { written.entity.parents.push_back(path()); });
      if (take("=") || peek().is("{")) written.shape = record();
      if (take_word("tags")) written.tags = type();
    }
    expect(";");
    for (const std::string& name : declared) {
      written.entity.name = in_space(space, name);
      all_.entities.push_back(written);
    }
  }

  ActionType::Ref action_ref(const std::string& space) {
    if (peek().kind == Token::Kind::string) return {in_space(space, "Action"), text()};
    std::string name = path();
    if (!take("::")) return {in_space(space, "Action"), std::move(name)};
    return {std::move(name), text()};
  }

  void action(const std::string& space) {
    WrittenAction written{.space = space, .offset = peek().offset};
    const std::vector<std::string> declared = names();
    if (take_word("in")) {
      list([&] { written.action.parents.push_back(action_ref(space)); });
    }
    if (take_word("appliesTo")) applies_to(written);
    expect(";");
    for (const std::string& name : declared) {
      written.action.type = in_space(space, "Action");
      written.action.id = name;
      all_.actions.push_back(written);
    }
  }

  void applies_to(WrittenAction& written) {
    expect("{");
    while (!error_ && !peek().is("}")) {
      const std::uint32_t offset = peek().offset;
      const std::string what = word();
      expect(":");
      if (what == "principal") {
        list([&] { written.action.principals.push_back(path()); });
      } else if (what == "resource") {
        list([&] { written.action.resources.push_back(path()); });
      } else if (what == "context") {
        written.context = type();
      } else {
        fail_at(offset, "expected principal, resource or context, found '" + what + "'");
      }
      if (!take(",")) break;
    }
    expect("}");
  }

  void common(const std::string& space) {
    const std::uint32_t offset = peek().offset;
    const std::string name = word();
    expect("=");
    WrittenCommon common{space, type()};
    expect(";");
    if (!all_.commons.emplace(in_space(space, name), std::move(common)).second) {
      fail_at(offset, "type " + name + " is declared twice");
    }
  }

  Written type() {
    if (peek().is("{")) return record();
    Written written{Written::Form::name, peek().offset, {}, {}};
    if (++nesting_ > type_nesting_max) {
      fail_at(peek().offset, fmt::format("types are nested more than {} deep", type_nesting_max));
    }
    if (peek().is_word("Set") && peek(1).is("<")) {
      next();
      next();
      written.form = Written::Form::set;
      written.members.push_back({{}, true, type()});
      expect(">");
    } else {
      written.name = path();
    }
    --nesting_;
    return written;
  }

  Written record() {
    Written written{Written::Form::record, peek().offset, {}, {}};
    if (++nesting_ > type_nesting_max) {
      fail_at(peek().offset, fmt::format("types are nested more than {} deep", type_nesting_max));
    }
    expect("{");
    while (!error_ && !peek().is("}")) {
      annotations();
      const std::uint32_t offset = peek().offset;
      Written::Member member{word_or_text(), true, {}};
      member.required = !take("?");
      expect(":");
      member.type = type();
      if (holds(written.members, member.name, &Written::Member::name)) {
        fail_at(offset, "attribute " + member.name + " is declared twice");
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
  std::optional<SyntaxError> error_;
  Declarations all_;
};

std::optional<Kind> built_in(std::string_view name) {
  if (name.starts_with("__cedar::")) name.remove_prefix(9);
  if (name == "Bool" || name == "Boolean") return Kind::boolean;
  if (name == "Long") return Kind::number;
  if (name == "String") return Kind::string;
  if (name == "ipaddr") return Kind::ip;
  if (name == "decimal") return Kind::decimal;
  if (name == "datetime") return Kind::datetime;
  if (name == "duration") return Kind::duration;
  return std::nullopt;
}

/// Puts declarations in the place of names.
class Resolver {
 public:
  explicit Resolver(const Declarations& all) : all_(all) {
    for (const WrittenEntity& written : all.entities) entity_names_.insert(written.entity.name);
  }

  std::expected<Type, SyntaxError> type(const Written& written, std::string_view space,
                                        std::uint32_t depth = 0) {
    if (depth > type_nesting_max) {
      return std::unexpected(
          SyntaxError{written.offset, "this type contains itself, or is nested too deep"});
    }
    if (++resolved_ > resolved_types_max) {
      return std::unexpected(SyntaxError{written.offset, "the types of this schema are too large"});
    }
    switch (written.form) {
      case Written::Form::name:
        return named(written, space, depth);
      case Written::Form::set: {
        auto element = type(written.members[0].type, space, depth + 1);
        if (!element) return element;
        Type set{.kind = Kind::set};
        set.element = std::make_shared<const Type>(std::move(*element));
        return set;
      }
      case Written::Form::record:
        return record(written, space, depth);
    }
    return Type{};
  }

  std::expected<std::string, SyntaxError> entity_name(const std::string& name,
                                                      std::string_view space,
                                                      std::uint32_t offset) const {
    for (const std::string& candidate : {in_space(space, name), name}) {
      if (entity_names_.contains(candidate)) return candidate;
    }
    return std::unexpected(SyntaxError{offset, "there is no entity type " + name});
  }

 private:
  std::expected<Type, SyntaxError> named(const Written& written, std::string_view space,
                                         std::uint32_t depth) {
    for (const std::string& candidate : {in_space(space, written.name), written.name}) {
      const auto common = all_.commons.find(candidate);
      if (common != all_.commons.end()) {
        return type(common->second.type, common->second.space, depth + 1);
      }
      if (entity_names_.contains(candidate)) {
        return Type{.kind = Kind::entity, .entity_type = candidate};
      }
    }
    if (const auto kind = built_in(written.name)) return Type{.kind = *kind};
    return std::unexpected(SyntaxError{written.offset, "there is no type " + written.name});
  }

  std::expected<Type, SyntaxError> record(const Written& written, std::string_view space,
                                          std::uint32_t depth) {
    Type record{.kind = Kind::record};
    for (const Written::Member& member : written.members) {
      auto resolved = type(member.type, space, depth + 1);
      if (!resolved) return resolved;
      record.attributes.push_back({member.name, std::move(*resolved), member.required});
    }
    std::ranges::sort(record.attributes, {}, &Attribute::name);
    return record;
  }

  const Declarations& all_;
  std::set<std::string, std::less<>> entity_names_;
  std::size_t resolved_ = 0;
};

std::expected<EntityType, SyntaxError> resolve(const WrittenEntity& written, Resolver& resolver) {
  EntityType entity = written.entity;
  auto shape = resolver.type(written.shape, written.space);
  if (!shape) return std::unexpected(shape.error());
  entity.shape = std::move(*shape);
  if (written.tags) {
    auto tags = resolver.type(*written.tags, written.space);
    if (!tags) return std::unexpected(tags.error());
    entity.tags = std::move(*tags);
  }
  for (std::string& parent : entity.parents) {
    auto name = resolver.entity_name(parent, written.space, written.offset);
    if (!name) return std::unexpected(name.error());
    parent = std::move(*name);
  }
  return entity;
}

std::expected<ActionType, SyntaxError> resolve(const WrittenAction& written, Resolver& resolver) {
  ActionType action = written.action;
  auto context = resolver.type(written.context, written.space);
  if (!context) return std::unexpected(context.error());
  if (context->kind != Kind::record) {
    return std::unexpected(SyntaxError{written.offset, "the context of an action is a record"});
  }
  action.context = std::move(*context);
  for (auto* const names : {&action.principals, &action.resources}) {
    for (std::string& type : *names) {
      auto name = resolver.entity_name(type, written.space, written.offset);
      if (!name) return std::unexpected(name.error());
      type = std::move(*name);
    }
  }
  return action;
}

auto action_key(const ActionType& action) {
  return std::pair<std::string_view, std::string_view>(action.type, action.id);
}

}  // namespace

const Attribute* Type::attribute(std::string_view name) const {
  const auto at = std::ranges::lower_bound(attributes, name, {}, &Attribute::name);
  return at != attributes.end() && at->name == name ? &*at : nullptr;
}

Result<Schema> Schema::parse(std::string_view file, std::string_view text) {
  if (text.size() > schema_bytes_max) {
    return fail(Errc::too_large, fmt::format("{}: larger than {} bytes", file, schema_bytes_max));
  }
  if (!is_utf8(text)) return fail(Errc::malformed, fmt::format("{}: not UTF-8", file));
  const auto located_error = [&](const SyntaxError& error) {
    return fail(Errc::malformed, located(file, text, error.offset, error.message));
  };
  auto tokens = lex(text);
  if (!tokens) return located_error(tokens.error());
  const auto all = Reader(std::move(*tokens)).read();
  if (!all) return located_error(all.error());

  Schema schema;
  Resolver resolver(*all);
  for (const WrittenEntity& written : all->entities) {
    auto entity = resolve(written, resolver);
    if (!entity) return located_error(entity.error());
    if (holds(schema.entities_, entity->name, &EntityType::name)) {
      return located_error({written.offset, "entity " + entity->name + " is declared twice"});
    }
    schema.entities_.push_back(std::move(*entity));
  }
  for (const WrittenAction& written : all->actions) {
    auto action = resolve(written, resolver);
    if (!action) return located_error(action.error());
    schema.actions_.push_back(std::move(*action));
  }
  std::ranges::sort(schema.entities_, {}, &EntityType::name);
  std::ranges::sort(schema.actions_, {}, action_key);
  const auto twice = std::ranges::adjacent_find(schema.actions_, {}, action_key);
  if (twice != schema.actions_.end()) {
    return fail(Errc::malformed,
                fmt::format("{}: action {} is declared twice", file, quoted(twice->id)));
  }
  return schema;
}

const EntityType* Schema::entity(std::string_view name) const {
  const auto at = std::ranges::lower_bound(entities_, name, {}, &EntityType::name);
  return at != entities_.end() && at->name == name ? &*at : nullptr;
}

const ActionType* Schema::action(std::string_view type, std::string_view id) const {
  const auto at = std::ranges::lower_bound(actions_, std::pair(type, id), {}, action_key);
  return at != actions_.end() && at->type == type && at->id == id ? &*at : nullptr;
}

void Schema::add_actions(EntityBuilder& builder) const {
  Arena& arena = builder.arena();
  for (const ActionType& action : actions_) {
    std::vector<const EntityUid*> parents;
    for (const auto& parent : action.parents) parents.push_back(arena.uid(parent.type, parent.id));
    builder.add(arena.uid(action.type, action.id), parents, {});
  }
}

}  // namespace sallyport::cedar
