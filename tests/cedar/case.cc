#include "case.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include "cedar/json.h"
#include "cedar/validate.h"

namespace sallyport::cedar_tools {
namespace {

namespace dom = simdjson::dom;
namespace fs = std::filesystem;
using namespace sallyport::cedar;

std::vector<std::string> strings(dom::element json) {
  std::vector<std::string> list;
  for (const dom::element item : json.get_array()) list.emplace_back(std::string_view(item));
  std::ranges::sort(list);
  return list;
}

class Case {
 public:
  Case(const fs::path& file, Tally& tally) : file_(file), tally_(tally) {}

  Result<void> run() {
    dom::element json;
    if (parser_.load(file_.string()).get(json)) return fail(Errc::malformed, "no JSON");
    auto schema_text = text_of(json, "schema");
    if (!schema_text) return fail(schema_text);
    auto schema = Schema::parse("schema", *schema_text);
    if (!schema) return fail(schema);
    auto policy_text = text_of(json, "policies");
    if (!policy_text) return fail(policy_text);
    auto policies = PolicySet::parse("policies", *policy_text);
    if (!policies) return fail(policies);
    auto entity_text = text_of(json, "entities");
    if (!entity_text) return fail(entity_text);
    auto entities = entities_from_json(*entity_text, &*schema);
    if (!entities) return fail(entities);

    const Validation validation = validate(*policies, *schema);
    const bool inapplicable =
        holds(validation.warnings, Finding::Kind::inapplicable, &Finding::kind);
    if (validation.ok() && !bool(json["shouldValidate"]) && inapplicable) {
      tally_.newly_accepted.push_back(file_.filename().string());
    } else {
      note(validation.ok() == bool(json["shouldValidate"]), "shouldValidate",
           validation.ok() ? "no error found" : validation.errors.front().to_string());
    }
    for (const dom::element request : json["requests"].get_array()) {
      if (auto asked = ask(request, *policies, *schema, *entities); !asked) return asked;
    }
    return ok();
  }

 private:
  Result<std::string> text_of(dom::element json, std::string_view key) const {
    const fs::path named = std::string_view(json[key]);
    for (fs::path folder = file_.parent_path(); !folder.empty() && folder != folder.root_path();
         folder = folder.parent_path()) {
      if (fs::exists(folder / named)) return read_file(folder / named);
      // A corpus that was unpacked under another name than its own.
      if (fs::exists(folder / named.filename())) return read_file(folder / named.filename());
    }
    return fail(Errc::io, fmt::format("there is no {}", named.string()));
  }

  Result<void> ask(dom::element json, const PolicySet& policies, const Schema& schema,
                   const Entities& entities) {
    Arena arena;
    const auto uid = [&](std::string_view key) {
      return arena.uid(std::string_view(json[key]["type"]), std::string_view(json[key]["id"]));
    };
    Request request{uid("principal"), uid("action"), uid("resource"), {}};
    const ActionType* const action = schema.action(request.action->type, request.action->id);
    auto context = value_from_json(simdjson::to_string(json["context"]), arena,
                                   action != nullptr ? &action->context : nullptr);
    if (!context) return fail(context);
    request.context = *context;
    const Answer answer = policies.authorize(request, entities);
    std::vector<std::string> reasons;
    for (const Policy* const policy : answer.reasons) reasons.push_back(policy->id);
    std::vector<std::string> errors;
    for (const EvaluationError& error : answer.errors) errors.push_back(error.policy->id);
    std::ranges::sort(reasons);
    std::ranges::sort(errors);
    dom::element wanted;
    if (json["reason"].get(wanted)) wanted = json["reasons"];
    const bool agrees = answer.allowed == (std::string_view(json["decision"]) == "allow") &&
                        reasons == strings(wanted) && errors == strings(json["errors"]);
    note(agrees, std::string_view(json["description"]),
         fmt::format("{} because of [{}], errors [{}]", answer.allowed ? "allow" : "deny",
                     fmt::join(reasons, " "), fmt::join(errors, " ")));
    return ok();
  }

  void note(bool agrees, std::string_view what, std::string_view ours) {
    if (agrees) {
      ++tally_.agreed;
    } else {
      tally_.disagreements.push_back(
          fmt::format("{}: {}: {}", file_.filename().string(), what, ours));
    }
  }

  fs::path file_;
  Tally& tally_;
  dom::parser parser_;
};

}  // namespace

Result<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) return fail(Errc::io, path.string() + " cannot be read");
  return text;
}

void run_case(const fs::path& file, Tally& tally) {
  if (auto done = Case(file, tally).run(); !done) {
    tally.disagreements.push_back(file.filename().string() + ": " + done.error().detail);
  }
}

}  // namespace sallyport::cedar_tools
