#include "cedar/format.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace sallyport::cedar {
namespace {

std::string formatted(std::string_view text) {
  auto once = format_policies("f.cedar", text);
  EXPECT_TRUE(once) << once.error().detail;
  if (!once) return {};
  const auto twice = format_policies("f.cedar", *once);
  EXPECT_TRUE(twice) << twice.error().detail;
  if (twice) {
    EXPECT_EQ(*twice, *once) << "formatting again changes it";
  }
  return *once;
}

TEST(CedarFormat, AShortHeadIsOneLineAndConditionsHaveTheirOwn) {
  EXPECT_EQ(formatted("permit(principal,action,resource)when{ true }unless{1==2};"),
            "permit (principal, action, resource)\n"
            "when { true }\n"
            "unless { 1 == 2 };\n");
}

TEST(CedarFormat, ALongHeadHasALineForEachPart) {
  EXPECT_EQ(formatted("@id(\"x\") @note(\"y\") permit (principal is User in Group::\"support\", "
                      "action in [Action::\"sql:read\", Action::\"connect\"], resource in "
                      "Connection::\"shop\");"),
            "@id(\"x\")\n"
            "@note(\"y\")\n"
            "permit (\n"
            "  principal is User in Group::\"support\",\n"
            "  action in [Action::\"sql:read\", Action::\"connect\"],\n"
            "  resource in Connection::\"shop\"\n"
            ");\n");
}

TEST(CedarFormat, LongConditionsBreakAtTheirLoosestOperators) {
  EXPECT_EQ(
      formatted(
          "permit (principal, action, resource) when { context.delegation has subject && "
          "context.delegation.subject == resource && (context.delegation.depth == 1 || "
          "context.delegation.scopes.contains(\"db:read\") && principal.attested) && resource "
          "in [Table::\"shop/shop/pg_catalog/pg_stat_activity\", "
          "Table::\"shop/shop/pg_catalog/pg_prepared_statements\"] };"),
      "permit (principal, action, resource)\n"
      "when {\n"
      "  context.delegation has subject &&\n"
      "  context.delegation.subject == resource &&\n"
      "  (\n"
      "    context.delegation.depth == 1 ||\n"
      "    context.delegation.scopes.contains(\"db:read\") && principal.attested\n"
      "  ) &&\n"
      "  resource in [\n"
      "    Table::\"shop/shop/pg_catalog/pg_stat_activity\",\n"
      "    Table::\"shop/shop/pg_catalog/pg_prepared_statements\"\n"
      "  ]\n"
      "};\n");
}

TEST(CedarFormat, CommentsStayWithWhatTheyAreAbout) {
  EXPECT_EQ(formatted("// the file\n\n\n\n// about one\npermit ( // who\n principal, action,\n"
                      " // what\n resource)\n"
                      "when { true && // first\n"
                      "  // second\n  false };  // done\n// about two\n\n"
                      "forbid (principal, action, resource);\n// the end"),
            "// the file\n"
            "\n"
            "// about one\n"
            "permit (  // who\n"
            "  principal,\n"
            "  action,\n"
            "  // what\n"
            "  resource\n"
            ")\n"
            "when {\n"
            "  true &&  // first\n"
            "  // second\n"
            "  false\n"
            "};  // done\n"
            "\n"
            "// about two\n"
            "\n"
            "forbid (principal, action, resource);\n"
            "// the end\n");
}

TEST(CedarFormat, EverythingElseHasOneForm) {
  EXPECT_EQ(
      formatted("permit(principal==?principal,action in Action::\"a\",resource is A in "
                "?resource,)\n"
                "when{if context.b then-1 else - -(2)*3+{\"a\":[],b:{}}.c[\"x y\"]};"
                "permit(principal,action,resource)when{!principal.f.isEmpty( )&&[1,2]"
                ".containsAll( [3]) || ip(\"1.2.3.4\").isInRange(context.x)};\n\n\n"),
      "permit (principal == ?principal, action in Action::\"a\", resource is A in ?resource,)\n"
      "when { if context.b then -1 else --(2) * 3 + {\"a\": [], b: {}}.c[\"x y\"] };\n"
      "\n"
      "permit (principal, action, resource)\n"
      "when { !principal.f.isEmpty() && [1, 2].containsAll([3]) || "
      "ip(\"1.2.3.4\").isInRange(context.x) };\n");
}

TEST(CedarFormat, TextThatIsNoPolicyIsAnError) {
  EXPECT_FALSE(format_policies("f.cedar", "permit (principal, action"));
  EXPECT_EQ(formatted(""), "");
  EXPECT_EQ(formatted("// only a comment"), "// only a comment\n");
}

TEST(CedarFormat, IsStableOverTheCorpus) {
  const char* const folder = std::getenv("SALLYPORT_CEDAR_CORPUS");
  if (folder == nullptr) {
    std::cout << "ABSENT: $SALLYPORT_CEDAR_CORPUS\n";
    return;
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".cedar") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    formatted(text.str());
    ++files;
  }
  std::cout << files << " files\n";
  EXPECT_GT(files, 0u);
}

}  // namespace
}  // namespace sallyport::cedar
