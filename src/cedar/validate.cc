#include "cedar/validate.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "cedar/hint.h"
#include "cedar/typecheck.h"

namespace sallyport::cedar {
namespace {

/// Characters that make text read in another order than it is in: what is seen is not what counts.
constexpr std::string_view reordering[] = {
    "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069",
};

bool reorders(std::string_view text) {
  return std::ranges::any_of(reordering, [&](std::string_view character) {
    return text.find(character) != std::string_view::npos;
  });
}

std::string describe(const RequestKind& request) {
  return fmt::format("{} does {} on {}", request.principal, request.action->id, request.resource);
}

/// Checks one policy, template or link.
class PolicyCheck {
 public:
  PolicyCheck(const PolicySet& set, const Schema& schema, Typechecker& types, const Policy& policy,
              Validation& into)
      : set_(set), schema_(schema), types_(types), policy_(policy), into_(into) {}

  void run() {
    if (!policy_.template_id.empty()) return link();
    heads();
    if (policy_.condition) names_below(*policy_.condition);
    if (policy_.is_template() && !holds(set_.policies(), policy_.id, &Policy::template_id)) {
      add(into_.warnings, Finding::Kind::unlinked, policy_.span,
          "no link uses this template, so that it decides nothing", {});
    }
    kinds_of_requests();
  }

 private:
  void add(std::vector<Finding>& to, Finding::Kind kind, Span at, std::string message,
           std::string hint) {
    if (to.size() >= findings_max) return;
    if (at.begin == at.end) at = policy_.span;
    if (!seen_.insert({at.begin, at.end, message}).second) return;
    to.push_back(finding(set_, policy_, kind, at, std::move(message), std::move(hint)));
  }
  void error(Finding::Kind kind, Span at, std::string message, std::string hint = {}) {
    ++errors_;
    add(into_.errors, kind, at, std::move(message), std::move(hint));
  }

  /// The template is checked by itself; of a link there are only the values of its slots.
  void link() {
    for (const Scope* const scope : {&policy_.principal, &policy_.resource}) {
      if (scope->linked) type_name(scope->entity->type, scope->entity_at);
    }
    if (!applies()) never_applies();
  }

  // ---- names ----

  void heads() {
    scope(policy_.principal);
    scope(policy_.resource);
    for (std::size_t i = 0; i < policy_.action.entities.size(); ++i) {
      entity(*policy_.action.entities[i], policy_.action.entities_at[i]);
    }
  }

  void scope(const Scope& scope) {
    if (!scope.type.text.empty()) type_name(scope.type.text, scope.type_at);
    if (scope.entity != nullptr) entity(*scope.entity, scope.entity_at);
  }

  void type_name(std::string_view name, Span at) {
    if (is_action_type(name) || schema_.entity(name) != nullptr) return;
    std::vector<std::string_view> known;
    for (const EntityType& type : schema_.entities()) known.push_back(type.name);
    error(Finding::Kind::name, at, fmt::format("the schema has no entity type {}", name),
          did_you_mean(name, known));
  }

  void entity(const EntityUid& uid, Span at) {
    if (is_action_type(uid.type)) return action(uid, at);
    type_name(uid.type, at);
    const EntityType* const type = schema_.entity(uid.type);
    if (type == nullptr || !type->is_enum) return;
    if (std::ranges::find(type->ids, uid.id) != type->ids.end()) return;
    const std::vector<std::string_view> known(type->ids.begin(), type->ids.end());
    const std::string best = nearest(uid.id, known);
    error(Finding::Kind::name, at, fmt::format("{} has no entity {}", uid.type, quoted(uid.id)),
          best.empty() ? best : fmt::format("did you mean {}?", quoted(best)));
  }

  void action(const EntityUid& uid, Span at) {
    if (schema_.action(uid.type, uid.id) != nullptr) return;
    std::vector<std::string_view> known;
    for (const ActionType& type : schema_.actions()) {
      if (type.id == uid.id) {
        return error(Finding::Kind::name, at,
                     fmt::format("the schema has no action {}", uid.to_string()),
                     fmt::format("did you mean {}::{}?", type.type, quoted(type.id)));
      }
      known.push_back(type.id);
    }
    const std::string best = nearest(uid.id, known);
    error(Finding::Kind::name, at, fmt::format("the schema has no action {}", quoted(uid.id)),
          best.empty() ? best : fmt::format("did you mean {}?", quoted(best)));
  }

  void names_below(NodeId id) {
    if (!walked_.insert(id).second) return;
    const Program& program = set_.program();
    const Node& node = program.nodes[id];
    if (node.op == Op::literal) {
      const Value& value = program.literals[node.a];
      if (value.is(Kind::entity)) entity(value.as_entity(), program.spans[id]);
      if (value.is(Kind::string) && reorders(value.as_string())) fools_the_eye(program.spans[id]);
    } else if (node.op == Op::is) {
      type_name(program.names[node.b].text, program.spans[id]);
    } else if (node.op == Op::like) {
      for (const PatternPart& part : program.patterns[node.b]) {
        if (reorders(part.text)) fools_the_eye(program.spans[id]);
      }
    }
    program.each_child(node, [&](NodeId child) { names_below(child); });
  }

  void fools_the_eye(Span at) {
    add(into_.warnings, Finding::Kind::misleading, at,
        "this text has characters that change the direction of reading",
        "write them as escapes: \\u{202e}");
  }

  // ---- kinds of requests ----

  /// Whether the action of the head could be asked by the principal on the resource.
  bool applies() const {
    return std::ranges::any_of(schema_.actions(), [&](const ActionType& action) {
      return covers(action) && covers(policy_.principal, action.principals) &&
             covers(policy_.resource, action.resources);
    });
  }
  bool covers(const ActionType& action) const {
    const ActionScope& scope = policy_.action;
    if (scope.kind == ActionScope::Kind::any) return true;
    return std::ranges::any_of(scope.entities, [&](const EntityUid* uid) {
      return scope.kind == ActionScope::Kind::in ? action.is_in(uid->type, uid->id)
                                                 : action.type == uid->type && action.id == uid->id;
    });
  }
  bool covers(const Scope& scope, const std::vector<std::string>& types) const {
    return std::ranges::any_of(types, [&](const std::string& type) {
      if (!scope.type.text.empty() && scope.type.text != type) return false;
      if (scope.entity == nullptr) return true;
      return scope.kind == Scope::Kind::equal ? type == scope.entity->type
                                              : schema_.may_be_in(type, scope.entity->type);
    });
  }

  void kinds_of_requests() {
    for (const ActionType& action : schema_.actions()) {
      for (const std::string& principal : action.principals) {
        for (const std::string& resource : action.resources) {
          request({principal, &action, resource, {}, {}});
        }
      }
    }
    for (auto& [problem, cases] : problems_) {
      std::string hint = std::move(cases.hint);
      // What is wrong in some requests only says in which.
      if (cases.count < possible_) {
        hint += (hint.empty() ? "this is when " : "; this is when ") + cases.first;
      }
      error(Finding::Kind::type, {problem.begin, problem.end}, problem.message, std::move(hint));
    }
    if (misfit_ && errors_ == 0) {
      error(Finding::Kind::type, policy_.span,
            "this policy cannot be typed when " + describe(*misfit_));
    }
    if (possible_ == 0 && errors_ == 0) never_applies();
  }

  void never_applies() {
    const bool possible = applies();
    add(into_.warnings, possible ? Finding::Kind::impossible : Finding::Kind::inapplicable,
        policy_.span, "no request that the schema allows is covered by this policy",
        possible ? "its conditions exclude each other"
                 : "its action is not for such a principal and such a resource");
  }

  void request(RequestKind kind) {
    std::vector<TypeProblem> found;
    for (const std::string_view principal : slot_types(policy_.principal, kind.principal)) {
      for (const std::string_view resource : slot_types(policy_.resource, kind.resource)) {
        kind.principal_slot = principal;
        kind.resource_slot = resource;
        found.clear();
        const Fit fit = types_.check(policy_, kind, found);
        if (fit != Fit::never_applies || !found.empty()) ++possible_;
        if (fit == Fit::wrong && !misfit_) misfit_ = kind;
        for (TypeProblem& problem : found) note(std::move(problem), kind);
      }
    }
  }

  void note(TypeProblem problem, const RequestKind& kind) {
    Cases& cases = problems_[{problem.at.begin, problem.at.end, std::move(problem.message)}];
    if (cases.count++ > 0) return;
    cases.hint = std::move(problem.hint);
    cases.first = describe(kind);
  }

  std::vector<std::string_view> slot_types(const Scope& scope, std::string_view variable) const {
    std::vector<std::string_view> types{variable};
    if (!scope.slot || scope.kind == Scope::Kind::equal) return types;
    for (const EntityType& type : schema_.entities()) {
      if (type.name != variable && schema_.may_be_in(variable, type.name)) {
        types.push_back(type.name);
      }
    }
    return types;
  }

  const PolicySet& set_;
  const Schema& schema_;
  Typechecker& types_;
  const Policy& policy_;
  Validation& into_;
  /// What is wrong, and in how many kinds of requests.
  struct Problem {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::string message;
    auto operator<=>(const Problem&) const = default;
  };
  struct Cases {
    std::string hint;
    std::string first;
    std::size_t count = 0;
  };
  std::size_t errors_ = 0;
  std::size_t possible_ = 0;  // kinds of requests that the policy may cover
  std::optional<RequestKind> misfit_;
  std::map<Problem, Cases> problems_;
  std::set<NodeId> walked_;
  std::set<Problem> seen_;
};

}  // namespace

std::string Finding::to_string() const {
  std::string text =
      fmt::format("{}:{}:{}: policy {}: {}", file, at.line, at.column, quoted(policy), message);
  if (!excerpt.empty()) text += "\n" + excerpt;
  if (!hint.empty()) text += "\n  hint: " + hint;
  return text;
}

Finding finding(const PolicySet& set, const Policy& policy, Finding::Kind kind, Span at,
                std::string message, std::string hint) {
  if (at.begin == at.end) at = policy.span;
  Finding made{.kind = kind,
               .policy = policy.id,
               .file = policy.file,
               .message = std::move(message),
               .hint = std::move(hint)};
  if (policy.source < set.program().sources.size()) {
    const std::string_view text = set.program().sources[policy.source].text;
    made.at = position_of(text, at.begin);
    made.excerpt = underlined(text, at);
  }
  return made;
}

Validation validate(const PolicySet& set, const Schema& schema) {
  Validation found;
  Typechecker types(set.program(), schema);
  for (const std::vector<Policy>* const list : {&set.policies(), &set.templates()}) {
    for (const Policy& policy : *list) PolicyCheck(set, schema, types, policy, found).run();
  }
  return found;
}

}  // namespace sallyport::cedar
