// Writing policies, as JSON and as text.

#include <algorithm>

#include <fmt/format.h>

#include "cedar/lexer.h"
#include "cedar/policy_json.h"

namespace sallyport::cedar {
namespace {

std::string json_text(std::string_view text) {
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

std::string json_uid(const EntityUid& uid) {
  return fmt::format("{{\"type\":{},\"id\":{}}}", json_text(uid.type), json_text(uid.id));
}

std::string_view symbol(Op op) {
  switch (op) {
    case Op::equal:
      return "==";
    case Op::unequal:
      return "!=";
    case Op::less:
      return "<";
    case Op::less_equal:
      return "<=";
    case Op::greater:
      return ">";
    case Op::greater_equal:
      return ">=";
    case Op::in:
      return "in";
    case Op::add:
      return "+";
    case Op::subtract:
      return "-";
    case Op::multiply:
      return "*";
    case Op::all:
      return "&&";
    case Op::any:
      return "||";
    case Op::contains:
      return "contains";
    case Op::contains_all:
      return "containsAll";
    case Op::contains_any:
      return "containsAny";
    case Op::get_tag:
      return "getTag";
    case Op::has_tag:
      return "hasTag";
    case Op::is_empty:
      return "isEmpty";
    case Op::negate_bool:
      return "!";
    case Op::negate_number:
      return "neg";
    default:
      return "";
  }
}

bool is_name(std::string_view text) {
  const auto tokens = lex(text);
  return tokens && tokens->size() == 2 && tokens->front().kind == Token::Kind::identifier &&
         tokens->front().text == text && !is_reserved(text);
}

class Writer {
 public:
  explicit Writer(const Program& program) : program_(program) {}

 protected:
  const Node& node(NodeId id) const { return program_.nodes[id]; }
  NodeId child(const Node& of, std::uint32_t at) const { return program_.children[of.a + at]; }
  std::string_view name(std::uint32_t at) const { return program_.names[at].text; }
  Written written(const Node& of) const { return static_cast<Written>(of.c); }
  /// The last `has` of a path has what all are on below its attributes.
  std::vector<std::string_view> path_names(const Node& of) const {
    std::vector<std::string_view> names;
    for (std::uint32_t i = 0; i < of.b; ++i) names.push_back(name(node(child(of, i)).b));
    return names;
  }

  const Program& program_;
};

// ---- JSON ----

class JsonWriter : Writer {
 public:
  using Writer::Writer;

  std::string expression(NodeId id) const {
    const Node& of = node(id);
    switch (of.op) {
      case Op::literal:
        return fmt::format("{{\"Value\":{}}}", value(program_.literals[of.a]));
      case Op::principal:
        return "{\"Var\":\"principal\"}";
      case Op::action:
        return "{\"Var\":\"action\"}";
      case Op::resource:
        return "{\"Var\":\"resource\"}";
      case Op::context:
        return "{\"Var\":\"context\"}";
      case Op::all:
      case Op::any:
        return junction(of);
      case Op::choose:
        return fmt::format("{{\"if-then-else\":{{\"if\":{},\"then\":{},\"else\":{}}}}}",
                           expression(of.a), expression(of.b), expression(of.c));
      case Op::negate_bool:
      case Op::negate_number:
      case Op::is_empty:
        return fmt::format("{{\"{}\":{{\"arg\":{}}}}}", symbol(of.op), expression(of.a));
      case Op::attribute:
        return fmt::format("{{\".\":{{\"left\":{},\"attr\":{}}}}}", expression(of.a),
                           json_text(name(of.b)));
      case Op::has:
        return fmt::format("{{\"has\":{{\"left\":{},\"attr\":{}}}}}", expression(of.a),
                           json_text(name(of.b)));
      case Op::like:
        return like(of);
      case Op::is:
        return fmt::format("{{\"is\":{{\"left\":{},\"entity_type\":{}}}}}", expression(of.a),
                           json_text(name(of.b)));
      case Op::set:
        return fmt::format("{{\"Set\":[{}]}}", list(of));
      case Op::record:
        return record(of);
      case Op::call:
        return fmt::format("{{\"{}\":[{}]}}", to_string(of.fn), list(of));
      default:
        return fmt::format("{{\"{}\":{{\"left\":{},\"right\":{}}}}}", symbol(of.op),
                           expression(of.a), expression(of.b));
    }
  }

 private:
  static std::string value(const Value& value) {
    switch (value.kind()) {
      case Kind::string:
        return json_text(value.as_string());
      case Kind::entity:
        return fmt::format("{{\"__entity\":{}}}", json_uid(value.as_entity()));
      default:
        return to_string(value);
    }
  }

  std::string list(const Node& of) const {
    std::string text;
    for (std::uint32_t i = 0; i < of.b; ++i) {
      if (i > 0) text += ",";
      text += expression(child(of, i));
    }
    return text;
  }

  std::string junction(const Node& of) const {
    if (of.op == Op::all && written(of) == Written::is_in) {
      const Node& is = node(child(of, 0));
      return fmt::format("{{\"is\":{{\"left\":{},\"entity_type\":{},\"in\":{}}}}}",
                         expression(is.a), json_text(name(is.b)), expression(node(child(of, 1)).b));
    }
    if (of.op == Op::all && written(of) == Written::has_path) {
      std::string names;
      for (const std::string_view step : path_names(of)) {
        names += (names.empty() ? "" : ",") + json_text(step);
      }
      return fmt::format("{{\"has\":{{\"left\":{},\"attr\":[{}]}}}}",
                         expression(node(child(of, 0)).a), names);
    }
    // a && b && c is (a && b) && c.
    std::string text;
    for (std::uint32_t i = 1; i < of.b; ++i) {
      text += fmt::format("{{\"{}\":{{\"left\":", symbol(of.op));
    }
    text += expression(child(of, 0));
    for (std::uint32_t i = 1; i < of.b; ++i) {
      text += fmt::format(",\"right\":{}}}}}", expression(child(of, i)));
    }
    return text;
  }

  std::string like(const Node& of) const {
    std::string parts;
    for (const PatternPart& part : program_.patterns[of.b]) {
      if (!parts.empty()) parts += ",";
      parts += part.wildcard ? "\"Wildcard\"" : "{\"Literal\":" + json_text(part.text) + "}";
    }
    return fmt::format("{{\"like\":{{\"left\":{},\"pattern\":[{}]}}}}", expression(of.a), parts);
  }

  std::string record(const Node& of) const {
    std::string text;
    for (std::uint32_t i = 0; i < of.b; ++i) {
      if (i > 0) text += ",";
      text += json_text(name(of.c + i)) + ":" + expression(child(of, i));
    }
    return fmt::format("{{\"Record\":{{{}}}}}", text);
  }
};

std::string json_scope_entity(const Scope& scope, std::string_view variable) {
  return scope.slot ? fmt::format("\"slot\":\"?{}\"", variable)
                    : fmt::format("\"entity\":{}", json_uid(*scope.entity));
}

std::string json_scope(const Scope& scope, std::string_view variable) {
  switch (scope.kind) {
    case Scope::Kind::any:
      return "{\"op\":\"All\"}";
    case Scope::Kind::equal:
      return fmt::format("{{\"op\":\"==\",{}}}", json_scope_entity(scope, variable));
    case Scope::Kind::in:
      return fmt::format("{{\"op\":\"in\",{}}}", json_scope_entity(scope, variable));
    case Scope::Kind::is:
      return fmt::format("{{\"op\":\"is\",\"entity_type\":{}}}", json_text(scope.type.text));
    case Scope::Kind::is_in:
      return fmt::format("{{\"op\":\"is\",\"entity_type\":{},\"in\":{{{}}}}}",
                         json_text(scope.type.text), json_scope_entity(scope, variable));
  }
  return {};
}

std::string json_scope(const ActionScope& scope) {
  if (scope.kind == ActionScope::Kind::any) return "{\"op\":\"All\"}";
  const std::string_view op = scope.kind == ActionScope::Kind::equal ? "==" : "in";
  if (!scope.list) {
    return fmt::format("{{\"op\":\"{}\",\"entity\":{}}}", op, json_uid(*scope.entities.front()));
  }
  std::string entities;
  for (const EntityUid* const entity : scope.entities) {
    entities += (entities.empty() ? "" : ",") + json_uid(*entity);
  }
  return fmt::format("{{\"op\":\"{}\",\"entities\":[{}]}}", op, entities);
}

// ---- text ----

/// How tightly an expression holds together: what is looser than its place needs parentheses.
enum Binding : int { loosest, disjunction, conjunction, relation, sum, product, unary, member };

Binding binding_of(const Node& node, Written written) {
  switch (node.op) {
    case Op::choose:
      return loosest;
    case Op::any:
      return disjunction;
    case Op::all:
      return written == Written::conjunction ? conjunction : relation;
    case Op::equal:
    case Op::unequal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
    case Op::in:
    case Op::has:
    case Op::like:
    case Op::is:
      return relation;
    case Op::add:
    case Op::subtract:
      return sum;
    case Op::multiply:
      return product;
    case Op::negate_bool:
    case Op::negate_number:
      return unary;
    default:
      return member;
  }
}

std::string pattern_text(const std::vector<PatternPart>& parts) {
  std::string text = "\"";
  for (const PatternPart& part : parts) {
    if (part.wildcard) {
      text += '*';
      continue;
    }
    const std::string inside = quoted(part.text);
    for (const char c : std::string_view(inside).substr(1, inside.size() - 2)) {
      if (c == '*') text += '\\';
      text += c;
    }
  }
  return text + "\"";
}

class TextWriter : Writer {
 public:
  using Writer::Writer;

  std::string expression(NodeId id, Binding place = loosest) const {
    const Node& of = node(id);
    const std::string text = plain(of);
    const bool negative = of.op == Op::literal && program_.literals[of.a].is(Kind::number) &&
                          program_.literals[of.a].as_number() < 0;
    const Binding own = negative ? unary : binding_of(of, written(of));
    return own < place ? "(" + text + ")" : text;
  }

 private:
  std::string plain(const Node& of) const {
    switch (of.op) {
      case Op::literal:
        return to_string(program_.literals[of.a]);
      case Op::principal:
        return "principal";
      case Op::action:
        return "action";
      case Op::resource:
        return "resource";
      case Op::context:
        return "context";
      case Op::all:
      case Op::any:
        return junction(of);
      case Op::choose:
        return fmt::format("if {} then {} else {}", expression(of.a), expression(of.b),
                           expression(of.c));
      case Op::negate_bool:
        return "!" + expression(of.a, member);
      case Op::negate_number:
        // A sign before digits would become part of the number.
        return node(of.a).op == Op::literal ? "-(" + expression(of.a) + ")"
                                            : "-" + expression(of.a, member);
      case Op::is_empty:
        return expression(of.a, member) + ".isEmpty()";
      case Op::attribute:
        return is_name(name(of.b))
                   ? fmt::format("{}.{}", expression(of.a, member), name(of.b))
                   : fmt::format("{}[{}]", expression(of.a, member), quoted(name(of.b)));
      case Op::has:
        return fmt::format("{} has {}", expression(of.a, sum), attribute(name(of.b)));
      case Op::like:
        return fmt::format("{} like {}", expression(of.a, sum),
                           pattern_text(program_.patterns[of.b]));
      case Op::is:
        return fmt::format("{} is {}", expression(of.a, sum), name(of.b));
      case Op::set:
        return fmt::format("[{}]", list(of, 0));
      case Op::record:
        return record(of);
      case Op::call:
        return call(of);
      case Op::contains:
      case Op::contains_all:
      case Op::contains_any:
      case Op::get_tag:
      case Op::has_tag:
        return fmt::format("{}.{}({})", expression(of.a, member), symbol(of.op), expression(of.b));
      default:
        return binary(of);
    }
  }

  static std::string attribute(std::string_view name) {
    return is_name(name) ? std::string(name) : quoted(name);
  }

  std::string binary(const Node& of) const {
    const Binding own = binding_of(of, Written::conjunction);
    // Sums and products bind to the left, comparisons do not chain at all.
    const Binding left = own == relation ? sum : own;
    const Binding right = own == relation ? sum : own == sum ? product : unary;
    return fmt::format("{} {} {}", expression(of.a, left), symbol(of.op), expression(of.b, right));
  }

  std::string junction(const Node& of) const {
    if (of.op == Op::all && written(of) == Written::is_in) {
      const Node& is = node(child(of, 0));
      return fmt::format("{} is {} in {}", expression(is.a, sum), name(is.b),
                         expression(node(child(of, 1)).b, sum));
    }
    const Node& first = node(child(of, 0));
    if (of.op == Op::all && written(of) == Written::has_path) return has_path(of, first);
    std::string text;
    // They bind to the left, so that one more on the left needs no parentheses.
    const Binding own = of.op == Op::all ? conjunction : disjunction;
    const Binding place = of.op == Op::all ? relation : conjunction;
    for (std::uint32_t i = 0; i < of.b; ++i) {
      if (i > 0) text += fmt::format(" {} ", symbol(of.op));
      text += expression(child(of, i), i == 0 ? own : place);
    }
    return text;
  }

  std::string has_path(const Node& of, const Node& first) const {
    const auto names = path_names(of);
    if (std::ranges::all_of(names, is_name)) {
      std::string path;
      for (const std::string_view step : names) {
        if (!path.empty()) path += '.';
        path += step;
      }
      return fmt::format("{} has {}", expression(first.a, sum), path);
    }
    // A path has no quotes, so that it is written step by step.
    std::string text;
    for (std::uint32_t i = 0; i < of.b; ++i) {
      text += (i > 0 ? " && " : "") + expression(child(of, i), relation);
    }
    return "(" + text + ")";
  }

  std::string list(const Node& of, std::uint32_t from) const {
    std::string text;
    for (std::uint32_t i = from; i < of.b; ++i) {
      if (i > from) text += ", ";
      text += expression(child(of, i));
    }
    return text;
  }

  std::string record(const Node& of) const {
    std::string text;
    for (std::uint32_t i = 0; i < of.b; ++i) {
      if (i > 0) text += ", ";
      text += fmt::format("{}: {}", attribute(name(of.c + i)), expression(child(of, i)));
    }
    return "{" + text + "}";
  }

  std::string call(const Node& of) const {
    if (is_constructor(of.fn) || of.b == 0) {
      return fmt::format("{}({})", to_string(of.fn), list(of, 0));
    }
    return fmt::format("{}.{}({})", expression(child(of, 0), member), to_string(of.fn),
                       list(of, 1));
  }
};

std::string text_scope(const Scope& scope, std::string_view variable) {
  const std::string entity = scope.slot                ? fmt::format("?{}", variable)
                             : scope.entity != nullptr ? scope.entity->to_string()
                                                       : std::string();
  switch (scope.kind) {
    case Scope::Kind::any:
      return std::string(variable);
    case Scope::Kind::equal:
      return fmt::format("{} == {}", variable, entity);
    case Scope::Kind::in:
      return fmt::format("{} in {}", variable, entity);
    case Scope::Kind::is:
      return fmt::format("{} is {}", variable, scope.type.text);
    case Scope::Kind::is_in:
      return fmt::format("{} is {} in {}", variable, scope.type.text, entity);
  }
  return {};
}

std::string text_scope(const ActionScope& scope) {
  if (scope.kind == ActionScope::Kind::any) return "action";
  const std::string_view op = scope.kind == ActionScope::Kind::equal ? "==" : "in";
  if (!scope.list) return fmt::format("action {} {}", op, scope.entities.front()->to_string());
  std::string entities;
  for (const EntityUid* const entity : scope.entities) {
    entities += (entities.empty() ? "" : ", ") + entity->to_string();
  }
  return fmt::format("action {} [{}]", op, entities);
}

std::string json_members(const std::vector<const Policy*>& policies, const Program& program) {
  std::string text;
  for (const Policy* const policy : policies) {
    if (!text.empty()) text += ",";
    text += json_text(policy->id) + ":" + to_json(*policy, program);
  }
  return text;
}

std::string json_link(const Policy& policy, const Policy& of) {
  std::string values;
  if (of.principal.slot) values += "\"?principal\":" + json_uid(*policy.principal.entity);
  if (of.resource.slot) {
    values += (values.empty() ? "" : ",");
    values += "\"?resource\":" + json_uid(*policy.resource.entity);
  }
  return fmt::format("{{\"templateId\":{},\"newId\":{},\"values\":{{{}}}}}",
                     json_text(policy.template_id), json_text(policy.id), values);
}

}  // namespace

std::string to_json(const Policy& policy, const Program& program) {
  const JsonWriter writer(program);
  std::string conditions;
  for (const Clause& clause : policy.clauses) {
    conditions += fmt::format("{}{{\"kind\":\"{}\",\"body\":{}}}", conditions.empty() ? "" : ",",
                              clause.unless ? "unless" : "when", writer.expression(clause.body));
  }
  std::string annotations;
  for (const Annotation& annotation : policy.annotations) {
    annotations += fmt::format("{}{}:{}", annotations.empty() ? "" : ",",
                               json_text(annotation.name), json_text(annotation.value));
  }
  if (!annotations.empty()) annotations = ",\"annotations\":{" + annotations + "}";
  return fmt::format(
      "{{\"effect\":\"{}\",\"principal\":{},\"action\":{},\"resource\":{},\"conditions\":[{}]{}}}",
      policy.effect == Effect::permit ? "permit" : "forbid",
      json_scope(policy.principal, "principal"), json_scope(policy.action),
      json_scope(policy.resource, "resource"), conditions, annotations);
}

std::string to_json(const PolicySet& set) {
  std::vector<const Policy*> own;
  std::vector<const Policy*> templates;
  std::string links;
  for (const Policy& policy : set.policies()) {
    const Policy* const of = policy.template_id.empty() ? nullptr : set.find(policy.template_id);
    if (of == nullptr) {
      own.push_back(&policy);
    } else {
      links += (links.empty() ? "" : ",") + json_link(policy, *of);
    }
  }
  for (const Policy& policy : set.templates()) templates.push_back(&policy);
  return fmt::format("{{\"staticPolicies\":{{{}}},\"templates\":{{{}}},\"templateLinks\":[{}]}}",
                     json_members(own, set.program()), json_members(templates, set.program()),
                     links);
}

std::string to_text(const Policy& policy, const Program& program) {
  std::string text;
  for (const Annotation& annotation : policy.annotations) {
    text += fmt::format("@{}({})\n", annotation.name, quoted(annotation.value));
  }
  text += fmt::format("{} ({}, {}, {})", policy.effect == Effect::permit ? "permit" : "forbid",
                      text_scope(policy.principal, "principal"), text_scope(policy.action),
                      text_scope(policy.resource, "resource"));
  const TextWriter writer(program);
  for (const Clause& clause : policy.clauses) {
    text += fmt::format(" {} {{ {} }}", clause.unless ? "unless" : "when",
                        writer.expression(clause.body));
  }
  return text + ";";
}

}  // namespace sallyport::cedar
