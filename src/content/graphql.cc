#include "content/graphql.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "content/graphql_lexer.h"

namespace sallyport::content {
namespace {

using Kind = GraphqlToken::Kind;

struct Selection {
  enum class Is : std::uint8_t { field, spread, inline_fragment };
  Is is = Is::field;
  std::string_view name;  // of the field or the fragment
  bool aliased = false;
  std::vector<Selection> selections;
};

struct Definition {
  GraphqlOperation::Kind kind = GraphqlOperation::Kind::query;
  std::string_view name;
  std::vector<Selection> selections;
};

struct Document {
  std::vector<Definition> operations;
  std::map<std::string_view, Definition> fragments;
};

/// Throws Error, for it goes deep; nothing of that leaves this file.
class Parser {
 public:
  Parser(std::string_view text, const GraphqlLimits& limits)
      : limits_(limits), lexer_(text, limits.tokens_max) {
    advance();
  }

  Document parse() {
    Document document;
    do {
      parse_definition(document);
    } while (token_.kind != Kind::end);
    return document;
  }

 private:
  [[noreturn]] static void wrong(std::string what) {
    throw Error(Errc::malformed, "GraphQL: " + std::move(what));
  }
  void advance() {
    auto next = lexer_.next();
    if (!next) throw next.error();
    token_ = *next;
  }
  bool at(std::string_view punctuator) const {
    return token_.kind == Kind::punctuator && token_.text == punctuator;
  }
  bool at_name(std::string_view name) const {
    return token_.kind == Kind::name && token_.text == name;
  }
  bool take(std::string_view punctuator) {
    if (!at(punctuator)) return false;
    advance();
    return true;
  }
  void expect(std::string_view punctuator) {
    if (!take(punctuator)) wrong(fmt::format("expected {}", punctuator));
  }
  std::string_view name() {
    if (token_.kind != Kind::name) wrong("expected a name");
    const std::string_view text = token_.text;
    advance();
    return text;
  }

  void parse_definition(Document& document) {
    if (at_name("fragment")) {
      advance();
      Definition fragment{.name = name()};
      if (fragment.name == "on") wrong("a fragment called on");
      if (name() != "on") wrong("expected on");
      name();
      parse_directives();
      fragment.selections = parse_selections(1);
      if (!document.fragments.emplace(fragment.name, std::move(fragment)).second) {
        wrong("two fragments of the same name");
      }
      return;
    }
    Definition operation;
    if (!at("{")) {
      operation.kind = parse_kind();
      if (token_.kind == Kind::name) operation.name = name();
      if (take("(")) {
        do parse_variable();
        while (!take(")"));
      }
      parse_directives();
    }
    operation.selections = parse_selections(1);
    document.operations.push_back(std::move(operation));
  }

  GraphqlOperation::Kind parse_kind() {
    const std::string_view word = token_.kind == Kind::name ? token_.text : "";
    for (const auto kind : {GraphqlOperation::Kind::query, GraphqlOperation::Kind::mutation,
                            GraphqlOperation::Kind::subscription}) {
      if (word != to_string(kind)) continue;
      advance();
      return kind;
    }
    wrong("expected query, mutation, subscription or fragment");
  }

  void parse_variable() {
    expect("$");
    name();
    expect(":");
    parse_type(0);
    if (take("=")) parse_value(0);
    parse_directives();
  }

  void parse_type(std::uint32_t depth) {
    if (depth > limits_.depth_max) wrong("a type nested too deeply");
    if (take("[")) {
      parse_type(depth + 1);
      expect("]");
    } else {
      name();
    }
    take("!");
  }

  void parse_value(std::uint32_t depth) {
    if (depth > 2 * limits_.depth_max) wrong("a value nested too deeply");
    if (take("$")) {
      name();
    } else if (take("[")) {
      while (!take("]")) parse_value(depth + 1);
    } else if (take("{")) {
      while (!take("}")) {
        name();
        expect(":");
        parse_value(depth + 1);
      }
    } else if (token_.kind == Kind::punctuator || token_.kind == Kind::end) {
      wrong("expected a value");
    } else {
      advance();
    }
  }

  void parse_arguments() {
    if (!take("(")) return;
    do {
      name();
      expect(":");
      parse_value(0);
    } while (!take(")"));
  }

  /// What they do to a selection is not looked at: what is skipped counts as selected.
  void parse_directives() {
    while (take("@")) {
      const std::string_view directive = name();
      if (directive == "defer" || directive == "stream") {
        wrong(fmt::format("@{}: an answer in parts cannot be masked", directive));
      }
      parse_arguments();
    }
  }

  std::vector<Selection> parse_selections(std::uint32_t depth) {
    if (depth > limits_.depth_max) {
      throw Error(Errc::too_large,
                  fmt::format("GraphQL: nested deeper than {}", limits_.depth_max));
    }
    expect("{");
    std::vector<Selection> selections;
    do selections.push_back(parse_selection(depth));
    while (!take("}"));
    return selections;
  }

  Selection parse_selection(std::uint32_t depth) {
    Selection selection;
    if (take("...")) return parse_fragment(depth);
    selection.name = name();
    if (take(":")) {
      selection.aliased = true;
      selection.name = name();
    }
    parse_arguments();
    parse_directives();
    if (at("{")) selection.selections = parse_selections(depth + 1);
    return selection;
  }

  Selection parse_fragment(std::uint32_t depth) {
    Selection selection;
    if (token_.kind == Kind::name && token_.text != "on") {
      selection.is = Selection::Is::spread;
      selection.name = name();
      parse_directives();
      return selection;
    }
    selection.is = Selection::Is::inline_fragment;
    if (at_name("on")) {
      advance();
      name();
    }
    parse_directives();
    selection.selections = parse_selections(depth + 1);
    return selection;
  }

  GraphqlLimits limits_;
  GraphqlLexer lexer_;
  GraphqlToken token_;
};

/// Goes through all that an operation selects, fragments included, as often as they are.
class Counter {
 public:
  Counter(const Document& document, const GraphqlLimits& limits)
      : document_(document), limits_(limits) {}

  std::vector<std::string> root_fields(const Definition& operation) {
    visit(operation.selections, 1, true);
    return {roots_.begin(), roots_.end()};
  }

 private:
  [[noreturn]] static void too_large(std::string_view what, std::uint32_t limit) {
    throw Error(Errc::too_large, fmt::format("GraphQL: {} {}", what, limit));
  }

  void visit(const std::vector<Selection>& selections, std::uint32_t depth, bool root) {
    if (selections.empty()) return;
    if (depth > limits_.depth_max) too_large("nested deeper than", limits_.depth_max);
    for (const Selection& selection : selections) {
      if (++visited_ > limits_.fields_max) too_large("it selects more than", limits_.fields_max);
      switch (selection.is) {
        case Selection::Is::field:
          if (root) roots_.emplace(selection.name);
          if (selection.aliased && ++aliases_ > limits_.aliases_max) {
            too_large("it has more aliases than", limits_.aliases_max);
          }
          visit(selection.selections, depth + 1, false);
          break;
        case Selection::Is::inline_fragment:
          visit(selection.selections, depth + 1, root);
          break;
        case Selection::Is::spread:
          visit_fragment(selection.name, depth, root);
          break;
      }
    }
  }

  void visit_fragment(std::string_view name, std::uint32_t depth, bool root) {
    const auto fragment = document_.fragments.find(name);
    if (fragment == document_.fragments.end()) {
      throw Error(Errc::malformed, "GraphQL: a fragment that is not there");
    }
    if (!within_.insert(name).second) {
      throw Error(Errc::malformed, "GraphQL: a fragment within itself");
    }
    visit(fragment->second.selections, depth + 1, root);
    within_.erase(name);
  }

  const Document& document_;
  GraphqlLimits limits_;
  std::set<std::string> roots_;
  std::set<std::string_view> within_;
  std::uint32_t visited_ = 0;
  std::uint32_t aliases_ = 0;
};

const Definition& choose(const Document& document, std::string_view name) {
  const Definition* chosen = nullptr;
  std::set<std::string_view> names;
  for (const Definition& operation : document.operations) {
    if (!names.insert(operation.name).second) {
      throw Error(Errc::malformed, "GraphQL: two operations of the same name");
    }
    if (operation.name.empty() && document.operations.size() > 1) {
      throw Error(Errc::malformed, "GraphQL: an operation without a name beside others");
    }
    if (name.empty() || operation.name == name) chosen = &operation;
  }
  if (chosen == nullptr || (name.empty() && document.operations.size() > 1)) {
    throw Error(Errc::malformed, "GraphQL: which operation to run cannot be told");
  }
  return *chosen;
}

}  // namespace

std::string_view to_string(GraphqlOperation::Kind kind) {
  static constexpr std::array<std::string_view, 3> names{"query", "mutation", "subscription"};
  return names[static_cast<std::size_t>(kind)];
}

Result<GraphqlOperation> parse_graphql(std::string_view document, std::string_view name,
                                       const GraphqlLimits& limits) {
  if (document.size() > limits.bytes_max) {
    return fail(Errc::too_large, fmt::format("GraphQL: above {} bytes", limits.bytes_max));
  }
  if (!is_utf8(document)) return fail(Errc::malformed, "GraphQL: not UTF-8");
  try {
    const Document parsed = Parser(document, limits).parse();
    const Definition& chosen = choose(parsed, name);
    // Those that are not run, too: a target may look at all of them.
    for (const Definition& operation : parsed.operations) {
      (void)Counter(parsed, limits).root_fields(operation);
    }
    return GraphqlOperation{chosen.kind, std::string(chosen.name),
                            Counter(parsed, limits).root_fields(chosen)};
  } catch (const Error& wrong) {
    return std::unexpected(wrong);
  }
}

}  // namespace sallyport::content
