// The model of the product's design: its policies are valid under the schema that is built in, and
// 206 decided requests agree. Its files are not part of the tree ($SALLYPORT_SHARED); without
// them this says so and passes.

#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "cedar/conform.h"
#include "cedar/json.h"
#include "policy/policies.h"

namespace sallyport::policy {
namespace {

namespace fs = std::filesystem;
namespace dom = simdjson::dom;

using Ids = std::vector<std::string>;

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Ids ids_of(dom::element list) {
  Ids ids;
  for (const dom::element id : list.get_array()) ids.emplace_back(std::string_view(id));
  std::ranges::sort(ids);
  return ids;
}

class Model : public testing::Test {
 protected:
  void SetUp() override {
    const char* const shared = std::getenv("SALLYPORT_SHARED");
    folder = fs::path(shared == nullptr ? "../shared" : shared) / "policy-model";
    if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not here";
    auto parsed = cedar::Schema::parse("schema.cedarschema", builtin_schema());
    ASSERT_TRUE(parsed) << parsed.error().detail;
    schema = std::move(*parsed);
    auto policies = cedar::PolicySet::parse({{"model.cedar", read(folder / "model.cedar")}});
    ASSERT_TRUE(policies) << policies.error().detail;
    set = std::move(*policies);
  }

  /// One of the decided requests, under the product's schema.
  void ask(dom::element item, const cedar::Entities& entities) {
    cedar::Arena arena;
    const auto uid = [&](std::string_view key) {
      return arena.uid(std::string_view(item[key]["type"]), std::string_view(item[key]["id"]));
    };
    cedar::Request request{uid("principal"), uid("action"), uid("resource"), {}};
    const cedar::ActionType* const action = schema.action(request.action->type, request.action->id);
    ASSERT_NE(action, nullptr) << request.action->id;
    auto context =
        cedar::value_from_json(simdjson::to_string(item["context"]), arena, &action->context);
    ASSERT_TRUE(context) << context.error().detail;
    request.context = *context;
    EXPECT_EQ(cedar::misfit(request, schema), std::nullopt);
    const cedar::Answer answer = set.authorize(request, entities);
    EXPECT_EQ(answer.allowed, std::string_view(item["decision"]) == "allow");
    Ids reasons, errors;
    for (const cedar::Policy* const policy : answer.reasons) reasons.push_back(policy->id);
    for (const auto& error : answer.errors) errors.push_back(error.policy->id);
    std::ranges::sort(reasons);
    EXPECT_EQ(reasons, ids_of(item["reason"]));
    EXPECT_EQ(errors.size(), ids_of(item["errors"]).size());
  }

  fs::path folder;
  cedar::Schema schema;
  cedar::PolicySet set;
};

TEST_F(Model, IsValidUnderTheSchemaThatIsBuiltIn) {
  const cedar::Validation found = cedar::validate(set, schema);
  for (const cedar::Finding& error : found.errors) ADD_FAILURE() << error.to_string();
  for (const cedar::Finding& warning : found.warnings) ADD_FAILURE() << warning.to_string();
  auto made = Policies::make({{"model.cedar", read(folder / "model.cedar")}}, {});
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_TRUE((*made)->warnings().empty());
}

TEST_F(Model, AllItsRequestsAgree) {
  auto entities = cedar::entities_from_json(read(folder / "model.entities.json"), &schema);
  ASSERT_TRUE(entities) << entities.error().detail;
  EXPECT_EQ(cedar::misfit(*entities, schema), std::nullopt);
  dom::parser parser;
  const dom::element root = parser.load((folder / "model.requests.json").string());
  std::size_t count = 0;
  for (const dom::element item : root["requests"].get_array()) {
    SCOPED_TRACE(std::string(std::string_view(item["description"])));
    ask(item, *entities);
    ++count;
  }
  EXPECT_EQ(count, 206u);
  std::cout << count << " requests of the model\n";
}

}  // namespace
}  // namespace sallyport::policy
