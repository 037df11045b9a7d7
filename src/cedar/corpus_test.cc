// Cases with known answers: decision, reasons and errors must all agree. Each case file names its
// policies, entities and schema, and lists requests. The data is not part of the tree: it is looked
// for in $SALLYPORT_SHARED and beside the checkout, and its absence is said aloud. For the
// generated cases set SALLYPORT_CEDAR_CORPUS to the folder that holds them.

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "cedar/authorize.h"
#include "cedar/json.h"
#include "cedar/validate.h"

namespace sallyport::cedar {
namespace {

namespace dom = simdjson::dom;
namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

fs::path shared_folder() {
  if (const char* const path = std::getenv("SALLYPORT_SHARED")) return path;
  return fs::path(__FILE__).parent_path() / "../../.." / "shared";
}

std::vector<std::string> strings(dom::element json) {
  std::vector<std::string> list;
  for (const dom::element item : json.get_array()) list.emplace_back(std::string_view(item));
  std::ranges::sort(list);
  return list;
}

struct Tally {
  std::size_t cases = 0;
  std::size_t requests = 0;
  /// Policies whose action is not for such a principal or resource were refused when the cases
  /// were made; the language has only warned of them since.
  std::size_t newly_accepted = 0;
};

class Case {
 public:
  Case(const fs::path& file, const fs::path& root, Ids ids)
      : name_(file.filename().string()), json_(parser_.load(file.string()).value()) {
    const auto text_of = [&](std::string_view key) {
      return read(root / std::string_view(json_[key]));
    };
    auto schema = Schema::parse(name_ + ".cedarschema", text_of("schema"));
    auto policies = PolicySet::parse(name_ + ".cedar", text_of("policies"), ids);
    EXPECT_TRUE(schema) << schema.error().detail;
    EXPECT_TRUE(policies) << policies.error().detail;
    if (!schema || !policies) return;
    schema_ = std::move(*schema);
    policies_ = std::move(*policies);
    auto entities = entities_from_json(text_of("entities"), &*schema_);
    EXPECT_TRUE(entities) << name_ << ": " << entities.error().detail;
    if (entities) entities_ = std::move(*entities);
  }

  void run(Tally& tally) const {
    ++tally.cases;
    if (!entities_ || !policies_) return;
    check_validity(tally);
    for (const dom::element request : json_["requests"].get_array()) {
      ++tally.requests;
      ask(request);
    }
  }

 private:
  void check_validity(Tally& tally) const {
    dom::element wanted;
    if (json_["shouldValidate"].get(wanted)) return;
    const Validation validation = validate(*policies_, *schema_);
    const bool newly = holds(validation.warnings, Finding::Kind::inapplicable, &Finding::kind);
    if (validation.ok() && !bool(wanted) && newly) {
      ++tally.newly_accepted;
      return;
    }
    EXPECT_EQ(validation.ok(), bool(wanted))
        << name_ << ": " << (validation.ok() ? "no error" : validation.errors.front().to_string());
  }

  void ask(dom::element json) const {
    const std::string what = name_ + " " + std::string(std::string_view(json["description"]));
    Arena arena;
    const auto uid = [&](std::string_view key) {
      return arena.uid(std::string_view(json[key]["type"]), std::string_view(json[key]["id"]));
    };
    Request request{uid("principal"), uid("action"), uid("resource"), {}};
    const ActionType* const action = schema_->action(request.action->type, request.action->id);
    auto context = value_from_json(simdjson::to_string(json["context"]), arena,
                                   action != nullptr ? &action->context : nullptr);
    ASSERT_TRUE(context) << what << ": " << context.error().detail;
    request.context = *context;

    const Answer answer = policies_->authorize(request, *entities_);
    EXPECT_EQ(answer.allowed ? "allow" : "deny", std::string_view(json["decision"])) << what;
    std::vector<std::string> reasons;
    for (const Policy* const policy : answer.reasons) reasons.push_back(policy->id);
    std::ranges::sort(reasons);
    std::vector<std::string> errors;
    for (const EvaluationError& error : answer.errors) errors.push_back(error.policy->id);
    std::ranges::sort(errors);
    dom::element reason_json;
    if (json["reason"].get(reason_json)) reason_json = json["reasons"];
    EXPECT_EQ(reasons, strings(reason_json)) << what;
    EXPECT_EQ(errors, strings(json["errors"])) << what;
  }

  std::string name_;
  dom::parser parser_;
  dom::element json_;
  std::optional<Schema> schema_;
  std::optional<PolicySet> policies_;
  std::optional<Entities> entities_;
};

void say_absent(const fs::path& path) {
  std::cout << "ABSENT: " << path << " is not here, so its cases were not run\n";
}

TEST(CedarCorpus, AgreesWithTheHandWrittenCases) {
  const fs::path root = shared_folder() / "cedar-corpus";
  if (!fs::exists(root / "tests")) return say_absent(root);
  Tally tally;
  for (const auto& entry : fs::recursive_directory_iterator(root / "tests")) {
    if (entry.path().extension() == ".json") Case(entry.path(), root, Ids::by_position).run(tally);
  }
  std::cout << tally.cases << " cases, " << tally.requests << " requests\n";
  EXPECT_EQ(tally.requests, 74u);
}

TEST(CedarCorpus, AgreesWithThePolicyModel) {
  const fs::path root = shared_folder() / "policy-model";
  if (!fs::exists(root)) return say_absent(root);
  Tally tally;
  Case(root / "model.requests.json", root, Ids::from_annotation).run(tally);
  std::cout << tally.requests << " requests\n";
  EXPECT_EQ(tally.requests, 206u);
}

TEST(CedarCorpus, AgreesWithTheGeneratedCases) {
  const char* const folder = std::getenv("SALLYPORT_CEDAR_CORPUS");
  if (folder == nullptr) return say_absent("$SALLYPORT_CEDAR_CORPUS");
  const fs::path root = fs::path(folder);
  Tally tally;
  for (const auto& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".json") || name.ends_with(".entities.json")) continue;
    // The paths in a case name files of its own folder, by the folder's published name.
    Case(entry.path(), root / "..", Ids::by_position).run(tally);
  }
  std::cout << tally.cases << " cases, " << tally.requests << " requests, " << tally.newly_accepted
            << " newly accepted\n";
  EXPECT_GT(tally.requests, 0u);
  EXPECT_LE(tally.newly_accepted * 100, tally.cases);
}

}  // namespace
}  // namespace sallyport::cedar
