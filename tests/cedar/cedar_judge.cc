// cedar-judge: answers the questions of the differential test. A world comes in a line as JSON:
//   {"schema": text or object, "policies": text, "templates": {id: text}, "links": [...],
//    "json": {id: policy}, "entities": [...],
//    "requests": [{"principal", "action", "resource", "context"}]}
// and a line goes out with every verdict on it. differential.mjs asks the reference the same.

#include <iostream>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include "cedar/conform.h"
#include "cedar/format.h"
#include "cedar/json.h"
#include "cedar/policy_json.h"
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

std::string list(const std::vector<std::string>& items) {
  return fmt::format("[{}]", fmt::join(items, ","));
}

/// {"ok": true}, or false with the reason.
template <class T>
std::string verdict(const Result<T>& result) {
  return result ? "{\"ok\":true}"
                : "{\"ok\":false,\"error\":" + escaped(result.error().detail) + "}";
}
std::string verdict(const Misfit& misfit) {
  return misfit ? "{\"ok\":false,\"error\":" + escaped(*misfit) + "}" : "{\"ok\":true}";
}

Result<Schema> schema_of(dom::element json) {
  std::string_view text;
  if (!json.get(text)) return Schema::parse("schema", text);
  return Schema::parse_json("schema", simdjson::to_string(json));
}

std::optional<UidText> uid_of(dom::object values, std::string_view slot) {
  dom::element uid;
  if (values[slot].get(uid)) return std::nullopt;
  return UidText{std::string(std::string_view(uid["type"])),
                 std::string(std::string_view(uid["id"]))};
}

Result<PolicySet> policies_of(dom::element world) {
  std::vector<PolicyText> texts{{"policies", std::string(std::string_view(world["policies"]))}};
  for (const auto& [id, text] : world["templates"].get_object()) {
    texts.push_back({std::string(id), std::string(std::string_view(text))});
  }
  std::vector<TemplateLink> links;
  for (const dom::element link : world["links"].get_array()) {
    const dom::object values = link["values"].get_object();
    links.push_back({std::string(std::string_view(link["templateId"])),
                     std::string(std::string_view(link["newId"])), uid_of(values, "?principal"),
                     uid_of(values, "?resource")});
  }
  return PolicySet::parse(texts, Ids::from_annotation, std::move(links));
}

class World {
 public:
  explicit World(dom::element json) : json_(json), schema_(schema_of(json["schema"])) {}

  std::string answer() {
    std::string out = "{\"schema\":" + verdict(schema_);
    auto set = policies_of(json_);
    out += ",\"parse\":" + verdict(set);
    if (set) {
      out += ",\"forms\":" + forms(*set);
      if (schema_) out += ",\"invalid\":" + invalid(*set);
    }
    const std::string entity_json = simdjson::to_string(json_["entities"]);
    auto entities = entities_from_json(entity_json);
    out += ",\"entities\":" + verdict(entities);
    if (schema_) out += ",\"conforms\":" + conforms(entity_json);
    if (set && entities) out += ",\"answers\":" + answers(*set, *entities);
    return out + "}";
  }

 private:
  /// Ids of the policies that the validator refuses, with the first reason.
  std::string invalid(const PolicySet& set) const {
    std::vector<std::string> members;
    std::vector<std::string> seen;
    for (const Finding& finding : validate(set, *schema_).errors) {
      if (std::ranges::find(seen, finding.policy) != seen.end()) continue;
      seen.push_back(finding.policy);
      members.push_back(escaped(finding.policy) + ":" + escaped(finding.to_string()));
    }
    return fmt::format("{{{}}}", fmt::join(members, ","));
  }

  /// Each policy as JSON, also as read from the reference's JSON, and as text in both of our ways.
  std::string forms(const PolicySet& set) const {
    const std::string json = "{\"staticPolicies\":" + simdjson::to_string(json_["json"]) + "}";
    const auto read = PolicySet::parse({{"policies.json", json}});
    std::vector<std::string> members;
    for (const Policy& policy : set.policies()) {
      if (!policy.template_id.empty()) continue;
      const std::string text = to_text(policy, set.program());
      const auto formatted = format_policies("formatted", text);
      const Policy* const same = read ? read->find(policy.id) : nullptr;
      members.push_back(
          fmt::format("{{\"id\":{},\"json\":{},\"again\":{},\"text\":{},\"formatted\":{}}}",
                      escaped(policy.id), to_json(policy, set.program()),
                      same != nullptr ? to_json(*same, read->program()) : verdict(read),
                      escaped(text), escaped(formatted ? *formatted : "")));
    }
    return list(members);
  }

  std::string conforms(const std::string& entity_json) const {
    auto entities = entities_from_json(entity_json, &*schema_);
    if (!entities) return verdict(entities);
    return verdict(misfit(*entities, *schema_));
  }

  std::string answers(const PolicySet& set, const Entities& entities) const {
    std::vector<std::string> all;
    for (const dom::element request : json_["requests"].get_array()) {
      all.push_back(ask(request, set, entities));
    }
    return list(all);
  }

  std::string ask(dom::element json, const PolicySet& set, const Entities& entities) const {
    Arena arena;
    const auto uid = [&](std::string_view key) {
      return arena.uid(std::string_view(json[key]["type"]), std::string_view(json[key]["id"]));
    };
    Request request{uid("principal"), uid("action"), uid("resource"), {}};
    const std::string context_json = simdjson::to_string(json["context"]);
    auto context = value_from_json(context_json, arena);
    if (!context) return "{\"context\":" + verdict(context) + "}";
    request.context = *context;
    const Answer answer = set.authorize(request, entities);
    std::vector<std::string> reasons;
    for (const Policy* const policy : answer.reasons) reasons.push_back(escaped(policy->id));
    std::vector<std::string> errors;
    for (const EvaluationError& error : answer.errors) errors.push_back(escaped(error.policy->id));
    std::string out = fmt::format("{{\"decision\":\"{}\",\"reasons\":{},\"errors\":{}",
                                  answer.allowed ? "allow" : "deny", list(reasons), list(errors));
    if (schema_) out += ",\"conforms\":" + request_conforms(request, context_json, arena);
    return out + "}";
  }

  std::string request_conforms(Request request, const std::string& context_json,
                               Arena& arena) const {
    const ActionType* const action = schema_->action(request.action->type, request.action->id);
    auto context =
        value_from_json(context_json, arena, action != nullptr ? &action->context : nullptr);
    if (!context) return verdict(context);
    request.context = *context;
    return verdict(misfit(request, *schema_));
  }

  dom::element json_;
  Result<Schema> schema_;
};

}  // namespace

int main() {
  dom::parser parser;
  for (std::string line; std::getline(std::cin, line);) {
    dom::element world;
    if (parser.parse(line).get(world)) {
      std::cout << "{\"broken\":true}\n" << std::flush;
      continue;
    }
    std::cout << World(world).answer() << "\n" << std::flush;
  }
  return 0;
}
