#include "content/openapi.h"

#include <gmock/gmock.h>

#include "content/document.h"

namespace sallyport::content {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr std::string_view crm = R"(openapi: 3.0.3
info: {title: CRM, version: "1"}
servers:
  - url: https://crm.example.com/{version}/
    variables: {version: {default: v1}}
paths:
  /customers:
    get:
      operationId: listCustomers
      tags: [customers, read]
      responses:
        "200":
          content:
            application/json:
              schema: {type: array, items: {$ref: "#/components/schemas/Customer"}}
        default:
          content:
            application/problem+json: {}
    post:
      operationId: createCustomer
      x-context: [$.owner, $.address.country]
      x-limits: {request_bytes: 10000, response_bytes: 20000}
      responses:
        "201": {$ref: "#/components/responses/Created"}
  /customers/{id}:
    get: {operationId: getCustomer, responses: {2XX: {$ref: "#/components/responses/Created"}}}
    delete: {responses: {"204": {description: gone}}}
  /customers/me:
    get: {operationId: me, responses: {}}
  /customers/{id}/notes/{note}.txt:
    get: {operationId: note, responses: {}}
  /customers/{id}/notes/{note}:
    get: {operationId: anyNote, responses: {}}
  /:
    get: {operationId: home, responses: {}}
components:
  responses:
    Created:
      content:
        application/json:
          schema: {$ref: "#/components/schemas/Customer"}
  schemas:
    Customer:
      type: object
      properties:
        id: {type: integer}
        email: {type: string, x-classification: pii.email}
        manager: {$ref: "#/components/schemas/Customer"}
        tags: {additionalProperties: {x-classification: [pii, internal]}}
      allOf:
        - {$ref: "#/components/schemas/Person"}
    Person:
      oneOf:
        - properties: {phone: {x-classification: pii.phone}}
        - anyOf: [{properties: {mobile: {x-classification: pii.phone}}}]
)";

std::shared_ptr<const OpenApi> load(std::string_view text, const OpenApiOptions& options = {}) {
  auto made = OpenApi::load(text, "crm.yaml", options);
  EXPECT_TRUE(made) << made.error().detail;
  return made ? *made : nullptr;
}

std::string problem(std::string_view text) {
  auto made = OpenApi::load(text, "crm.yaml");
  EXPECT_FALSE(made) << text;
  return made ? "" : made.error().detail;
}

std::string matched(const OpenApi& api, std::string_view method, std::string_view path) {
  const auto match = api.match(method, path);
  return match ? match->operation->id : "";
}

/// Walks by names; "[]" is an element.
std::vector<std::string> classes_at(const Selector& selector, std::vector<std::string> path) {
  Selector::Node at = selector.root();
  for (const std::string& name : path) {
    at = name == "[]" ? selector.element(at) : selector.member(at, name);
  }
  return selector.labels()[selector.label(at)];
}

TEST(OpenApi, FindsTheOperationOfARequest) {
  const auto api = load(crm);
  EXPECT_EQ(matched(*api, "GET", "/v1/customers"), "listCustomers");
  EXPECT_EQ(matched(*api, "POST", "/v1/customers"), "createCustomer");
  EXPECT_EQ(matched(*api, "GET", "/v1/"), "home");
  const auto one = api->match("GET", "/v1/customers/17");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->operation->id, "getCustomer");
  EXPECT_EQ(one->operation->path, "/v1/customers/{id}");
  EXPECT_THAT(one->parameters, ElementsAre(Pair("id", "17")));
  EXPECT_EQ(matched(*api, "DELETE", "/v1/customers/17"), "DELETE /v1/customers/{id}");
  const auto note = api->match("GET", "/v1/customers/a b/notes/x.txt.txt");
  ASSERT_TRUE(note);
  EXPECT_EQ(note->operation->id, "note");
  EXPECT_THAT(note->parameters, ElementsAre(Pair("id", "a b"), Pair("note", "x.txt")));
}

TEST(OpenApi, PrefersConcreteOverTemplated) {
  const auto api = load(crm);
  EXPECT_EQ(matched(*api, "GET", "/v1/customers/me"), "me");
  EXPECT_EQ(matched(*api, "DELETE", "/v1/customers/me"), "") << "not lent by /customers/{id}";
  EXPECT_EQ(matched(*api, "GET", "/v1/customers/1/notes/2"), "anyNote");
  EXPECT_EQ(matched(*api, "GET", "/v1/customers/1/notes/2.txt"), "note");
  EXPECT_EQ(matched(*api, "GET", "/v1/customers/1/notes/.txt"), "anyNote");
}

TEST(OpenApi, KnowsNothingOfWhatIsNotDescribed) {
  const auto api = load(crm);
  for (const char* path :
       {"", "/", "/v1", "/customers", "/v1/customers/", "/v1/Customers", "/v1/customers/1/",
        "/v1/customers//notes/1", "/v1//customers", "/v1/customers/1/notes", "v1/customers",
        "/v1/customers/1/notes/2/3", "/v1/admin"}) {
    EXPECT_EQ(matched(*api, "GET", path), "") << path;
  }
  for (const char* method : {"PUT", "get", "HEAD", "OPTIONS", "", "PATCH"}) {
    EXPECT_EQ(matched(*api, method, "/v1/customers"), "") << method;
  }
  std::string deep = "/v1";
  for (int i = 0; i < 1000; ++i) deep += "/customers";
  EXPECT_EQ(matched(*api, "GET", deep), "");
}

TEST(OpenApi, ReadsWhatElseAnOperationSays) {
  const auto api = load(crm);
  const auto list = api->match("GET", "/v1/customers");
  EXPECT_THAT(list->operation->tags, ElementsAre("customers", "read"));
  EXPECT_FALSE(list->operation->request_bytes_max);
  const auto create = api->match("POST", "/v1/customers");
  EXPECT_THAT(create->operation->context, ElementsAre("$.owner", "$.address.country"));
  EXPECT_EQ(create->operation->request_bytes_max, 10'000u);
  EXPECT_EQ(create->operation->response_bytes_max, 20'000u);
}

TEST(OpenApi, ClassifiesBySchemaThroughReferencesThatGoInCircles) {
  const auto api = load(crm);
  const auto* list = api->match("GET", "/v1/customers")->operation;
  const auto selector = api->response(*list, 200, "application/json");
  EXPECT_THAT(classes_at(*selector, {"[]", "email"}), ElementsAre("pii.email"));
  EXPECT_THAT(classes_at(*selector, {"[]", "id"}), IsEmpty());
  EXPECT_THAT(classes_at(*selector, {"email"}), IsEmpty());
  EXPECT_THAT(classes_at(*selector, {"[]", "manager", "manager", "manager", "manager", "phone"}),
              ElementsAre("pii.phone"));
  EXPECT_THAT(classes_at(*selector, {"[]", "mobile"}), ElementsAre("pii.phone"));
  EXPECT_THAT(classes_at(*selector, {"[]", "tags", "any"}), ElementsAre("internal", "pii"));
  EXPECT_THAT(api->classes(), ElementsAre("internal", "pii", "pii.email", "pii.phone"));
}

TEST(OpenApi, FindsTheAnswerByStatusAndType) {
  const auto api = load(crm);
  const auto* list = api->match("GET", "/v1/customers")->operation;
  const auto* get = api->match("GET", "/v1/customers/1")->operation;
  const auto* me = api->match("GET", "/v1/customers/me")->operation;
  EXPECT_TRUE(api->response(*list, 500, "application/problem+json")->empty()) << "default";
  EXPECT_THAT(classes_at(*api->response(*get, 206, "application/json"), {"email"}),
              ElementsAre("pii.email"))
      << "2XX";
  for (const auto& undescribed :
       {api->response(*get, 404, "application/json"), api->response(*get, 200, "text/html"),
        api->response(*list, 500, "application/json")}) {
    EXPECT_THAT(classes_at(*undescribed, {}),
                ElementsAre("internal", "pii", "pii.email", "pii.phone"))
        << "what is not described could hold all that is";
  }
  EXPECT_TRUE(api->response(*me, 404, "application/json")->empty());
}

TEST(OpenApi, AddsThePathsOfTheConfiguration) {
  const auto api = load(crm, {.base_path = "/api", .paths = {{"$..id", {"key"}}}});
  const auto* list = api->match("GET", "/api/customers")->operation;
  EXPECT_THAT(classes_at(*api->response(*list, 200, "application/json"), {"[]", "id"}),
              ElementsAre("key"));
  const auto* me = api->match("GET", "/api/customers/me")->operation;
  EXPECT_THAT(classes_at(*api->response(*me, 500, "text/x"), {"a", "id"}), ElementsAre("key"));
  EXPECT_EQ(matched(*load(crm, {.base_path = "/"}), "GET", "/customers"), "listCustomers");
}

TEST(OpenApi, ReadsJsonAndThreeOne) {
  const auto api = load(R"({"openapi":"3.1.0","paths":{"\/a":{"$ref":"#/components/pathItems/A"}},
    "components":{"pathItems":{"A":{"get":{"responses":{"200":{"content":{"application/json":{
    "schema":{"prefixItems":[true,{"x-classification":"p"}],"items":{"x-classification":"q"},
    "patternProperties":{"^x":{"x-classification":"r"}},"if":true,
    "then":{"properties":{"t":{"x-classification":"t"}}}}}}}}}}}}})");
  const auto* get = api->match("GET", "/a")->operation;
  const auto selector = api->response(*get, 200, "application/json");
  EXPECT_THAT(classes_at(*selector, {"[]"}), ElementsAre("p", "q"));
  EXPECT_THAT(classes_at(*selector, {"t"}), ElementsAre("r", "t"));
  EXPECT_THAT(classes_at(*selector, {"anything"}), ElementsAre("r"));
}

TEST(OpenApi, LooksAtWhatADiscriminatorStandsFor) {
  const auto api = load(R"(openapi: 3.0.0
paths:
  /pets: {get: {responses: {"200": {content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}}}}
components:
  schemas:
    Pet: {discriminator: {propertyName: type, mapping: {fish: Fish}}}
    Dog: {allOf: [{$ref: "#/components/schemas/Pet"}, {properties: {chip: {x-classification: dog}}}]}
    Puppy: {allOf: [{$ref: "#/components/schemas/Dog"}, {properties: {toy: {x-classification: puppy}}}]}
    Fish: {properties: {tank: {x-classification: fish}}}
    Other: {properties: {x: {x-classification: other}}}
)");
  const auto* pets = api->match("GET", "/pets")->operation;
  const auto selector = api->response(*pets, 200, "application/json");
  EXPECT_THAT(selector->classes(), ElementsAre("dog", "fish", "puppy"));
}

TEST(OpenApi, RefusesPathsThatCouldBeTwoOperationsAndSaysWhichLines) {
  const std::string head = "openapi: 3.0.0\npaths:\n";
  const auto get = [](std::string path) { return "  " + path + ": {get: {responses: {}}}\n"; };
  EXPECT_EQ(problem(head + get("/a/{x}/c") + get("/a/b/{y}")),
            "crm.yaml:4: GET /a/b/{y} can be the same path as /a/{x}/c on line 3");
  EXPECT_THAT(problem(head + get("/a/{x}") + get("/a/{y}")), HasSubstr("crm.yaml:4: GET /a/{y}"));
  EXPECT_THAT(problem(head + get("/{x}.json") + get("/a{y}")), HasSubstr("can be the same path"));
  load(head + get("/a/{x}") + get("/a/b") + "  /a/{x}/c: {get: {}}\n");
  load(head + get("/{x}.json") + get("/{x}.txt") + get("/{x}"));
  const auto api = load(head + get("/a/{x}/c") + "  /a/b/{y}: {put: {operationId: p}}\n");
  EXPECT_EQ(matched(*api, "PUT", "/a/b/c"), "p");
  EXPECT_EQ(matched(*api, "GET", "/a/b/c"), "GET /a/{x}/c");
}

TEST(OpenApi, SaysWhatIsWrongAndWhere) {
  const std::string head = "openapi: 3.0.0\npaths:\n";
  const auto one = [&](std::string operation) {
    return problem(head + "  /a: {get: " + operation + "}\n");
  };
  EXPECT_THAT(problem("swagger: '2.0'\n"), HasSubstr("crm.yaml:1: Swagger 2.0: convert it"));
  EXPECT_THAT(problem("a: 1\n"), HasSubstr("not an OpenAPI document"));
  EXPECT_THAT(problem("openapi: 4.0.0\npaths: {}\n"), HasSubstr("only OpenAPI 3.0 and 3.1"));
  EXPECT_THAT(problem("openapi: 3.0.0\n"), HasSubstr("there are no paths"));
  EXPECT_THAT(problem("openapi: 3.0.0\npaths: {}\npaths: {}\n"),
              HasSubstr("crm.yaml:3: the key 'paths' is there twice"));
  EXPECT_THAT(problem("{\"openapi\":\"3.0.0\",\n\"a\":1,\n\"\\u0061\":2}"),
              HasSubstr("crm.yaml:3: the key 'a' is there twice"));
  EXPECT_THAT(problem("openapi: [\n"), HasSubstr("not YAML"));
  EXPECT_THAT(problem("{\"openapi\":\n01}"), HasSubstr("crm.yaml:2: not JSON"));
  EXPECT_THAT(problem("a: &a 1\nb: *a\n"), HasSubstr("crm.yaml:2: YAML aliases"));
  EXPECT_THAT(problem("a: 1\n---\nb: 2\n"), HasSubstr("more than one"));
  EXPECT_THAT(problem(""), HasSubstr("crm.yaml:1: "));
  EXPECT_THAT(problem(head + "  a: {}\n"), HasSubstr("crm.yaml:3: a: a path begins with /"));
  for (const char* path : {"/{a", "/a}", "/{}", "/{a}{b}", "/{a}/{a}", "/%zz", "/{a{b}}"}) {
    EXPECT_THAT(problem(head + "  \"" + path + "\": {}\n"), HasSubstr("crm.yaml:3: ")) << path;
  }
  EXPECT_THAT(one("{x-limits: {request_bytes: -1}}"), HasSubstr("crm.yaml:3: x-limits"));
  EXPECT_THAT(one("{x-limits: {bytes: 1}}"), HasSubstr("crm.yaml:3: x-limits"));
  EXPECT_THAT(one("{x-context: ['$.a[*]']}"), HasSubstr("crm.yaml:3: x-context"));
  EXPECT_THAT(one("{x-context: $}"), HasSubstr("crm.yaml:3: x-context"));
  EXPECT_THAT(one("{responses: {ok: {}}}"), HasSubstr("'ok' is no status"));
  EXPECT_THAT(one("{responses: {\"200\": {content: {json: {}}}}}"), HasSubstr("no media type"));
  EXPECT_THAT(one("{responses: {\"200\": {$ref: other.yaml#/a}}}"), HasSubstr("bundle the files"));
  EXPECT_THAT(one("{responses: {\"200\": {$ref: '#/nothing'}}}"), HasSubstr("leads nowhere"));
  EXPECT_THAT(problem(head + "  /a: {$ref: '#/paths/~1a'}\n"), HasSubstr("$ref leads to itself"));
  EXPECT_THAT(problem(head + "  /a: {get: {operationId: x}}\n  /b: {get: {operationId: x}}\n"),
              HasSubstr("crm.yaml:4: operationId 'x' is there twice, first on line 3"));
  for (const char* classification : {"[]", "{a: b}", "[[a]]", "''"}) {
    EXPECT_THAT(one(fmt::format("{{responses: {{\"200\": {{content: {{a/b: {{schema: "
                                "{{x-classification: {}}}}}}}}}}}}}",
                                classification)),
                HasSubstr("x-classification is a class"))
        << classification;
  }
  EXPECT_THAT(problem("openapi: 3.0.0\nservers: [{url: /a}, {url: /b}]\npaths: {}\n"),
              HasSubstr("crm.yaml:2: servers with different paths"));
  std::string many = head;
  for (int i = 0; i < 100; ++i) many += fmt::format("  bad{}: {{}}\n", i);
  EXPECT_THAT(problem(many), HasSubstr("and more"));
}

TEST(OpenApi, HasLimits) {
  EXPECT_THAT(problem(std::string(document_bytes_max + 1, ' ')), HasSubstr("above 16 MiB"));
  EXPECT_THAT(problem(std::string(200, '[')), HasSubstr("crm.yaml:1: "));
  EXPECT_THAT(problem("{\"a\":" + std::string(200, '[')), HasSubstr("deeper"));
  EXPECT_THAT(problem("\xff"), HasSubstr("UTF-8"));
}

}  // namespace
}  // namespace sallyport::content
