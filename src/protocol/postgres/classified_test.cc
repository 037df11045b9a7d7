#include "protocol/postgres/classified.h"

#include <gtest/gtest.h>

namespace sallyport::postgres {
namespace {

using catalog::Catalog;
using catalog::RelationKind;

constexpr catalog::Oid customers = 20001;
constexpr catalog::Oid child = 20002;
constexpr catalog::Oid made_of_it = 20003;
constexpr catalog::Oid view = 20004;

catalog::Contents contents(std::string_view name = "customers") {
  catalog::Contents all;
  all.database = "shop";
  all.server_major = 15;
  all.schemas = {{11, "pg_catalog"}, {2200, "public"}};
  all.types = {{.oid = 23, .schema = 11, .name = "int4"},
               {.oid = 25, .schema = 11, .name = "text"}};
  const catalog::Column id{.name = "id", .type = 23, .number = 1};
  const catalog::Column email{.name = "email", .type = 25, .number = 2};
  all.relations = {{.oid = customers, .schema = 2200, .name = name, .columns = {id, email}},
                   {.oid = child, .schema = 2200, .name = "child", .columns = {id, email}},
                   {.oid = made_of_it,
                    .schema = 2200,
                    .name = "made",
                    .kind = RelationKind::materialized_view,
                    .columns = {{.name = "mail", .type = 25, .number = 1}},
                    .definition = " SELECT email AS mail FROM public.customers;"},
                   {.oid = view,
                    .schema = 2200,
                    .name = "plain",
                    .kind = RelationKind::view,
                    .columns = {id},
                    .definition = " SELECT id FROM public.customers;"}};
  all.inheritance = {{.parent = customers, .child = child}};
  return all;
}

policy::ConnectionFacts facts() {
  return {.name = "shop",
          .protocol = "postgres",
          .classification = {{"*.customers.email", "pii.email"}},
          .row_filters = {{"public.customers", "mine", "id > 7"}}};
}

class ClassifiedColumns : public testing::Test {
 protected:
  ClassifiedColumns() : parser_(std::move(*sql::Parser::make())) {}
  std::shared_ptr<const Classified> of(catalog::Contents all, const policy::ConnectionFacts& said,
                                       const Classified* before = nullptr) {
    auto made = Catalog::make(std::move(all), ++epoch_);
    EXPECT_TRUE(made);
    return Classified::make(*parser_, *made, said, before);
  }
  static std::string columns(const Classified& classified, catalog::Oid relation) {
    const Classified::Of* const found = classified.of(relation);
    if (found == nullptr) return "nothing";
    std::string text;
    for (const auto& column : found->columns) {
      text += std::to_string(column.number) + ":";
      for (const auto& source : column.sources) {
        for (const auto& one : source.classifications) text += one + "@" + source.column.id + " ";
      }
    }
    return text + (found->filters.empty() ? "" : "filtered") + found->unclear;
  }

  std::unique_ptr<sql::Parser> parser_;
  std::uint64_t epoch_ = 0;
};

TEST_F(ClassifiedColumns, AreThoseThatTheRulesName) {
  const auto made = of(contents(), facts());
  EXPECT_EQ(columns(*made, customers), "2:pii.email@shop/shop/public/customers/email filtered");
  EXPECT_EQ(columns(*made, 4711), "nothing");
}

TEST_F(ClassifiedColumns, AreAlsoWhatTheirValuesFlowInto) {
  const auto made = of(contents(), facts());
  // A child's rows are read through the parent, and a materialized view holds copies.
  EXPECT_NE(columns(*made, child).find("2:pii.email@shop/shop/public/customers/email"),
            std::string::npos);
  EXPECT_NE(columns(*made, made_of_it).find("1:pii.email@shop/shop/public/customers/email"),
            std::string::npos);
}

TEST_F(ClassifiedColumns, StayWhatTheyWereWhenATableIsRenamed) {
  const auto before = of(contents(), facts());
  const auto renamed = of(contents("clients"), facts(), before.get());
  EXPECT_NE(columns(*renamed, customers).find("2:pii.email"), std::string::npos);
  EXPECT_EQ(columns(*of(contents("clients"), facts()), customers).find("pii.email"),
            std::string::npos);
}

TEST_F(ClassifiedColumns, SayWhichRulesSpeakOfNothing) {
  policy::ConnectionFacts said = facts();
  said.classification.push_back({"public.customers.ssn", "secret"});
  const auto made = of(contents(), said);
  ASSERT_EQ(made->unmatched().size(), 1u);
  EXPECT_NE(made->unmatched()[0].id.find("ssn"), std::string::npos);
}

}  // namespace
}  // namespace sallyport::postgres
