#pragma once
// A small shop as a catalog, written down. For tests only.

#include <gtest/gtest.h>

#include <memory>

#include "protocol/postgres/catalog/catalog.h"

namespace sallyport::postgres::sql {

/// The OIDs of types that the shop uses.
namespace oid {
constexpr catalog::Oid int4 = 23;
constexpr catalog::Oid text = 25;
constexpr catalog::Oid numeric = 1700;
}  // namespace oid

inline catalog::Contents shop_contents() {
  using catalog::Column;
  using catalog::RelationKind;
  const auto column = [](std::string_view name, std::int16_t number,
                         catalog::Oid type = oid::text) {
    return Column{.name = name, .type = type, .number = number};
  };
  catalog::Contents all{.database = "shop", .database_oid = 16400, .server_major = 15};
  all.schemas = {
      {11, "pg_catalog"}, {2200, "public"}, {20000, "hr"}, {13000, "information_schema"}};
  all.types = {
      {.oid = 23, .schema = 11, .name = "int4", .category = 'N'},
      {.oid = 25, .schema = 11, .name = "text", .category = 'S'},
      {.oid = 1700, .schema = 11, .name = "numeric", .category = 'N'},
      {.oid = 21000,
       .schema = 2200,
       .name = "mail",
       .kind = catalog::TypeKind::domain,
       .base = 25,
       .checks = {"(public.checked(VALUE) > 0)"}},
      {.oid = 21001,
       .schema = 2200,
       .name = "pair",
       .kind = catalog::TypeKind::composite,
       .relation = 20090},
  };
  all.relations = {
      {.oid = 1259, .schema = 11, .name = "pg_class", .columns = {column("relname", 1)}},
      {.oid = 20001,
       .schema = 2200,
       .name = "customers",
       .row_type = 20002,
       .columns = {column("id", 1, 23), column("name", 2), column("email", 3), column("ssn", 5)}},
      {.oid = 20003,
       .schema = 2200,
       .name = "orders",
       .row_type = 20004,
       .columns = {column("id", 1, 23), column("customer_id", 2, 23), column("total", 3, 1700),
                   column("note", 4)}},
      {.oid = 20005,
       .schema = 20000,
       .name = "salaries",
       .columns = {column("name", 1), column("salary", 2, 1700)}},
      {.oid = 20010,
       .schema = 2200,
       .name = "emails",
       .kind = RelationKind::view,
       .columns = {column("who", 1), column("mail", 2)},
       .definition = "SELECT customers.name AS who, customers.email AS mail FROM public.customers "
                     "WHERE (customers.ssn IS NOT NULL);"},
      {.oid = 20011,
       .schema = 2200,
       .name = "mails",
       .kind = RelationKind::view,
       .columns = {column("lowered", 1)},
       .definition = "SELECT lower(emails.mail) AS lowered FROM public.emails;"},
      {.oid = 20020,
       .schema = 2200,
       .name = "customers_eu",
       .is_partition = true,
       .columns = {column("email", 1), column("id", 2, 23), column("name", 3), column("ssn", 4)}},
      {.oid = 20030,
       .schema = 2200,
       .name = "people",
       .columns = {column("full_name", 1),
                   {.name = "upper_name", .type = 25, .number = 2, .generated = 's'}}},
      {.oid = 20090,
       .schema = 2200,
       .name = "pair",
       .kind = RelationKind::composite,
       .columns = {column("left_one", 1), column("right_one", 2)}},
      {.oid = 20040, .schema = 2200, .name = "ruled", .columns = {column("a", 1)}},
  };
  all.inheritance = {{.child = 20020, .parent = 20001}};
  all.generations = {{.relation = 20030, .column = 2, .expression = "upper(full_name)"}};
  all.rules = {{.relation = 20040, .name = "copy_out", .event = '3'}};
  all.triggers = {{.relation = 20003, .name = "noted", .function = 22003, .type = 1 | 4}};
  using catalog::Argument;
  all.functions = {
      {.oid = 870,
       .schema = 11,
       .name = "lower",
       .language = "internal",
       .volatility = 'i',
       .result = 25,
       .arguments = {{.type = 25}}},
      {.oid = 1067,
       .schema = 11,
       .name = "generate_series",
       .language = "internal",
       .returns_set = true,
       .result = 23,
       .arguments = {{.type = 23}, {.type = 23}}},
      {.oid = 22000,
       .schema = 2200,
       .name = "mail_of",
       .language = "sql",
       .result = 25,
       .arguments = {{.name = "who", .type = 23}},
       .body = "select email from customers where id = who"},
      {.oid = 22001,
       .schema = 2200,
       .name = "checked",
       .language = "sql",
       .result = 23,
       .arguments = {{.type = 25}},
       .body = "select count(*)::int from hr.salaries where name = $1"},
      {.oid = 22002,
       .schema = 2200,
       .name = "initials",
       .language = "sql",
       .result = 25,
       .arguments = {{.name = "c", .type = 20002}},
       .body = "select left(c.name, 1)"},
      {.oid = 22003, .schema = 2200, .name = "noted", .language = "plperl", .result = 2279},
      {.oid = 22004,
       .schema = 2200,
       .name = "digest",
       .language = "c",
       .volatility = 'i',
       .result = 25,
       .arguments = {{.type = 25}}},
      {.oid = 22005,
       .schema = 2200,
       .name = "lower",
       .language = "sql",
       .result = 25,
       .arguments = {{.type = 23}},
       .body = "select max(ssn) from public.customers"},
      {.oid = 22006,
       .schema = 2200,
       .name = "loop",
       .language = "sql",
       .result = 25,
       .arguments = {{.type = 23}},
       .body = "select public.loop(1) || (select note from orders)"},
      {.oid = 22007,
       .schema = 2200,
       .name = "atomic",
       .language = "sql",
       .standard_body = true,
       .result = 25,
       .body = "BEGIN ATOMIC\n SELECT customers.name\n    FROM public.customers;\nEND"},
      {.oid = 22008,
       .schema = 2200,
       .name = "returned",
       .language = "sql",
       .standard_body = true,
       .result = 25,
       .arguments = {{.name = "x", .type = 23}},
       .body = "RETURN (SELECT (customers.ssn || x) FROM public.customers)"},
      {.oid = 22009,
       .schema = 2200,
       .name = "rows_of",
       .language = "sql",
       .returns_set = true,
       .result = 2249,
       .arguments = {{.name = "a", .type = 25, .mode = 't'},
                     {.name = "b", .type = 25, .mode = 't'}},
       .body = "select name, ssn from customers"},
  };
  all.operators = {
      {.oid = 23000, .schema = 2200, .name = "~=", .left = 25, .right = 25, .function = 22000}};
  return all;
}

inline std::shared_ptr<const catalog::Catalog> shop_catalog() {
  auto made = catalog::Catalog::make(shop_contents(), 1);
  EXPECT_TRUE(made) << made.error().detail;
  return made ? *made : nullptr;
}

}  // namespace sallyport::postgres::sql
