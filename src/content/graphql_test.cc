#include "content/graphql.h"

#include <gmock/gmock.h>

#include "base/bytes.h"
#include "base/crypto.h"

namespace sallyport::content {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using OperationKind = GraphqlOperation::Kind;

std::vector<std::string> fields(std::string_view document, std::string_view name = "") {
  const auto operation = parse_graphql(document, name);
  EXPECT_TRUE(operation) << operation.error().detail << "\n" << document;
  return operation ? operation->fields : std::vector<std::string>();
}

std::string problem(std::string_view document, std::string_view name = "",
                    const GraphqlLimits& limits = {}) {
  const auto operation = parse_graphql(document, name, limits);
  EXPECT_FALSE(operation) << document;
  return operation ? "" : operation.error().detail;
}

TEST(Graphql, TellsKindNameAndRootFields) {
  const auto operation = parse_graphql(
      R"(mutation Rename($id: ID! = "x", $l: [[Int!]!] @d(a: 1)) @live {
        rename(id: $id, to: {a: [1, -2.5e3, "s\u00e9\"", """block \""" "quoted" """, true, null, RED, $l]}) { id, name }
        other # comment }
      })",
      "Rename");
  ASSERT_TRUE(operation) << operation.error().detail;
  EXPECT_EQ(*operation, (GraphqlOperation{OperationKind::mutation, "Rename", {"other", "rename"}}));
  EXPECT_EQ(*parse_graphql("{a}", ""), (GraphqlOperation{OperationKind::query, "", {"a"}}));
  EXPECT_EQ(parse_graphql("subscription{a}", "")->kind, OperationKind::subscription);
  EXPECT_THAT(fields("query query { query mutation on fragment true null }"),
              ElementsAre("fragment", "mutation", "null", "on", "query", "true"))
      << "words are names, too";
}

TEST(Graphql, SeesThroughAliasesFragmentsAndDirectives) {
  EXPECT_THAT(fields("{ users: secrets { id } users }"), ElementsAre("secrets", "users"));
  EXPECT_THAT(fields("query Q { ...A ... on Query { c ...B } ... @include(if: $x) { e } }"
                     "fragment A on Query { a } fragment B on Query { ... { d } }"),
              ElementsAre("a", "c", "d", "e"));
  EXPECT_THAT(fields("{ a @skip(if: true) b @include(if: false) ...F @skip(if: true) }"
                     "fragment F on Query { c }"),
              ElementsAre("a", "b", "c"));
  EXPECT_THAT(fields("{ a { inner ...F } } fragment F on T { deep }"), ElementsAre("a"));
  EXPECT_THAT(fields("{ __schema { types { name } } __typename }"),
              ElementsAre("__schema", "__typename"));
  EXPECT_THAT(fields("{ a } fragment Unused on T { b }"), ElementsAre("a"));
}

TEST(Graphql, ChoosesTheOperationThatWouldRun) {
  const std::string_view two = "query A { a } mutation B { b }";
  EXPECT_THAT(fields(two, "A"), ElementsAre("a"));
  EXPECT_THAT(fields(two, "B"), ElementsAre("b"));
  EXPECT_THAT(problem(two), HasSubstr("cannot be told"));
  EXPECT_THAT(problem(two, "C"), HasSubstr("cannot be told"));
  EXPECT_THAT(problem("{a}", "C"), HasSubstr("cannot be told"));
  EXPECT_THAT(problem("query A {a} query A {b}", "A"), HasSubstr("same name"));
  EXPECT_THAT(problem("{a} query A {b}", "A"), HasSubstr("beside others"));
  EXPECT_THAT(problem("fragment F on T {a}"), HasSubstr("cannot be told"));
}

TEST(Graphql, RefusesWhatIsNoDocument) {
  for (const char* document : {"",
                               "{",
                               "{}",
                               "{a",
                               "{a}}",
                               "{a}{b}x",
                               "query {a} b",
                               "{a(b)}",
                               "{a()}",
                               "{a(b:)}",
                               "{a(b:1}",
                               "{a:}",
                               "{:a}",
                               "{a b:c d:}",
                               "{...}",
                               "{... on}",
                               "{...on T}",
                               "query ({a}",
                               "query () {a}",
                               "query ($a) {a}",
                               "query ($a:) {a}",
                               "query ($a:[Int) {a}",
                               "{a @}",
                               "{a(b:\"x)}",
                               "{a(b:\"\"\"x\"\")}",
                               "{a(b:\"\\x\")}",
                               "{a(b:\"\\u12\")}",
                               "{a(b:01)}",
                               "{a(b:1.)}",
                               "{a(b:1e)}",
                               "{a(b:1a)}",
                               "{a(b:-)}",
                               "{a(b:[1)}",
                               "{a(b:{c})}",
                               "{a ; b}",
                               "{a..b}",
                               "{a?}",
                               "{a(b:\"x\ny\")}",
                               "fragment on on T {a}",
                               "fragment F T {a}",
                               "type T { a: Int }",
                               "schema { query: Q }",
                               "extend type T { a: Int }",
                               "query {a} {",
                               "{\xc3\xa9}",
                               "\xef\xbb\xbf{a}",
                               "{a} \"text\"",
                               "{a}\x01"}) {
    EXPECT_THAT(problem(document), HasSubstr("GraphQL")) << document;
  }
  EXPECT_THAT(problem("{a(b:\"\xff\")}"), HasSubstr("UTF-8"));
  EXPECT_THAT(problem("{\na\n?"), HasSubstr("line 3"));
}

TEST(Graphql, RefusesFragmentsThatAreMissingOrWithinThemselves) {
  EXPECT_THAT(problem("{...F}"), HasSubstr("not there"));
  EXPECT_THAT(problem("{a {...F}}"), HasSubstr("not there"));
  EXPECT_THAT(problem("{...F} fragment F on T {...F}"), HasSubstr("within itself"));
  EXPECT_THAT(problem("{...F} fragment F on T {a {...G}} fragment G on T {...F}"),
              HasSubstr("within itself"));
  EXPECT_THAT(problem("{a} fragment F on T {a} fragment F on T {b}"), HasSubstr("same name"));
  EXPECT_THAT(problem("query A {a} query B {...F}", "A"), HasSubstr("not there"));
}

TEST(Graphql, RefusesAnswersInParts) {
  EXPECT_THAT(problem("{a ... @defer {b}}"), HasSubstr("@defer"));
  EXPECT_THAT(problem("{a @stream(initialCount: 1)}"), HasSubstr("@stream"));
}

TEST(Graphql, HasLimits) {
  const auto repeated = [](std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  EXPECT_THAT(fields(repeated("{a", 16) + repeated("}", 16)), ElementsAre("a"));
  EXPECT_THAT(problem(repeated("{a", 17) + repeated("}", 17)), HasSubstr("deeper than 16"));
  EXPECT_THAT(problem(repeated("{...", 17) + "{a}" + repeated("}", 17)), HasSubstr("deeper"));
  EXPECT_THAT(problem("{a(b:" + repeated("[", 100'000)), HasSubstr("GraphQL"));
  EXPECT_THAT(problem("query ($a:" + repeated("[", 1000)), HasSubstr("too deeply"));
  EXPECT_THAT(problem("{" + repeated("a:b ", 31) + "}"), HasSubstr("more aliases than 30"));
  EXPECT_THAT(problem("{" + repeated("...F ", 16) + "} fragment F on T {a:b c:d}"),
              HasSubstr("more aliases than 30"));
  EXPECT_THAT(problem("{" + repeated("a ", 6000) + "}"), HasSubstr("too many tokens"));
  std::string bomb = "{...F0}";
  for (int i = 0; i < 4; ++i) {
    bomb += fmt::format("fragment F{} on T {{{}}}", i, repeated(fmt::format("...F{} ", i + 1), 12));
  }
  EXPECT_THAT(problem(bomb + "fragment F4 on T {a}"), HasSubstr("more than 2000"));
  EXPECT_THAT(problem("{a} #" + std::string(200'000, 'x')), HasSubstr("above 131072 bytes"));
}

std::string request_problem(std::string_view body, const PersistedQueries& persisted = {}) {
  const auto operations = graphql_request(body, {}, persisted);
  EXPECT_FALSE(operations) << body;
  return operations ? "" : operations.error().detail;
}

TEST(GraphqlRequest, ReadsBodiesAndBatches) {
  const auto one = graphql_request(
      R"({"query":"query A {a} query B {b}","operationName":"B","variables":{"x":[1]},"extensions":null})");
  ASSERT_TRUE(one) << one.error().detail;
  ASSERT_EQ(one->size(), 1u);
  EXPECT_THAT(one->front().fields, ElementsAre("b"));
  const auto batch =
      graphql_request(R"([{"query":"{a}"},{"query":"mutation {b}","variables":null}])");
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->size(), 2u);
  EXPECT_EQ(batch->back().kind, OperationKind::mutation);
}

TEST(GraphqlRequest, RefusesWhatATargetCouldReadDifferently) {
  for (const char* body : {"",
                           "17",
                           "\"{a}\"",
                           "{}",
                           "[]",
                           "[[]]",
                           R"({"query":1})",
                           R"({"query":["{a}"]})",
                           R"({"query":null})",
                           R"({"query":"{a}","query":"{b}"})",
                           R"({"query":"{a}","\u0071uery":"{b}"})",
                           R"({"query":"{a}","operationName":1})",
                           R"({"query":"{a}","operationName":""})",
                           R"({"query":"{a}","documentId":"x"})",
                           R"({"query":"{a}","id":"x"})",
                           R"({"Query":"{a}"})",
                           R"({"query":"{a}","mutation":"{b}"})",
                           R"({"query":"{a}","variables":"x"})",
                           R"({"query":"{a}","extensions":[]})",
                           R"([{"query":"{a}"},1])",
                           R"({"query":"{a}"} {"query":"{b}"})",
                           "query=%7Ba%7D"}) {
    EXPECT_THAT(request_problem(body), HasSubstr("GraphQL")) << body;
  }
  std::string many = "[";
  for (int i = 0; i < 11; ++i) many += fmt::format("{}{{\"query\":\"{{a}}\"}}", i == 0 ? "" : ",");
  EXPECT_THAT(request_problem(many + "]"), HasSubstr("1 to 10"));
}

TEST(GraphqlRequest, KnowsPersistedQueriesOrRefusesThem) {
  const std::string document = "{a}";
  const std::string hash = to_hex(sha256(as_bytes(document)));
  const auto body = [&](std::string query, const std::string& sha) {
    return fmt::format(
        R"({{{}"extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{}"}}}}}})",
        query.empty() ? "" : fmt::format(R"("query":"{}",)", query), sha);
  };
  const auto unknown = graphql_request(body("", hash));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::denied);
  EXPECT_TRUE(graphql_request(body("", hash), {}, {{hash, document}}));
  EXPECT_TRUE(graphql_request(body(document, hash)));
  EXPECT_THAT(request_problem(body("{b}", hash)), HasSubstr("not the one its hash says"));
  EXPECT_THAT(request_problem(R"({"extensions":{"persistedQuery":{}}})"), HasSubstr("sha256Hash"));
}

TEST(GraphqlRequest, TakesOnlyQueriesFromAQueryString) {
  using Parameters = std::vector<std::pair<std::string, std::string>>;
  EXPECT_THAT(graphql_get(Parameters{{"query", "{a}"}, {"variables", "{\"x\":1}"}})->fields,
              ElementsAre("a"));
  EXPECT_FALSE(graphql_get(Parameters{{"query", "mutation {a}"}}));
  EXPECT_FALSE(
      graphql_get(Parameters{{"query", "query A {a} mutation B {b}"}, {"operationName", "B"}}));
  EXPECT_FALSE(graphql_get(Parameters{{"query", "{a}"}, {"query", "{b}"}}));
  EXPECT_FALSE(graphql_get(Parameters{{"query", "{a}"}, {"id", "x"}}));
  EXPECT_FALSE(graphql_get(Parameters{{"query", "{a}"}, {"variables", "x"}}));
  EXPECT_FALSE(graphql_get(Parameters{}));
}

}  // namespace
}  // namespace sallyport::content
