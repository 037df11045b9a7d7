// The catalog as a real server tells it, and our columns against what the server itself keeps of
// them: a view of each query, and what pg_depend says that the view reads.

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "app/embedded_postgres.h"
#include "net/certificate.h"
#include "protocol/postgres/catalog/load.h"
#include "protocol/postgres/sql/lineage.h"

namespace sallyport::app {
namespace {

namespace fs = std::filesystem;
using postgres::catalog::Catalog;
using postgres::catalog::Loader;

constexpr std::string_view schema_sql = R"(
create schema hr;
create table customers (id int primary key, name text not null, email text, gone int, ssn text);
alter table customers drop column gone;
create table orders (id int primary key, customer_id int, total numeric(10, 2), note text);
create table hr.salaries (name text, salary numeric);
create table people (full_name text, upper_name text generated always as (upper(full_name)) stored);
create view emails as select name as who, email as mail from customers where ssn is not null;
create view mails as select lower(mail) as lowered from emails;
create table events (at date, what text) partition by range (at);
create table events_1 (what text, at date);
alter table events attach partition events_1 for values from ('2020-01-01') to ('2030-01-01');
create type pair as (a text, b text);
create function mail_of(who int) returns text language sql stable
  as 'select email from public.customers where id = who';
create function fixed() returns text language sql set search_path = hr, pg_temp
  as 'select name from salaries';
create domain mail as text check (value <> public.mail_of(1));
create function before() returns trigger language plpgsql as 'begin return new; end';
create trigger noted before insert on orders for each row execute function before();
create rule nothing as on delete to people do instead nothing;
create operator ~== (function = texteq, leftarg = text, rightarg = text);
)";

/// Plain queries over relations of the schema: all columns that they read are in pg_depend.
constexpr std::string_view queries[] = {
    "select id, email from customers",
    "select * from customers",
    "select c.* from customers c where c.ssn = '1' order by name",
    "select x.e from (select email as e, ssn as s from customers) x where s = '1'",
    "select x.e from (select email, ssn from customers) x(e, s) where s = '1'",
    "select name from customers group by 1 having max(ssn) > 'a'",
    "select ssn from customers union select note from orders",
    "select lower(email) || ssn as a from customers",
    "select case when ssn = '1' then 'a' else name end from customers",
    "select rank() over (order by ssn) from customers",
    "select sum(total) over w from orders window w as (partition by note)",
    "select array_agg(name order by ssn) from customers",
    "select c.email, o.total from customers c join orders o on o.customer_id = c.id",
    "select id, email, note from customers join orders using (id)",
    "select * from customers natural join orders",
    "select j.e from (customers cross join hr.salaries) as j(a, b, d, e, f, g)",
    "select c.id from customers c, lateral (select note from orders where customer_id = c.id) o",
    "select name from customers c where exists (select 1 from orders o where o.note = c.ssn)",
    "select (select max(ssn) from customers) as a",
    "with x(a) as (select email from customers), y as (select a from x) select a from y",
    "with recursive r(n, s) as (select id, name from customers union all select n + 1, ssn from r, "
    "customers) select s from r",
    "select who from emails",
    "select lowered from mails",
    "select upper_name from people",
    "select at, what from events",
    "select salary from hr.salaries s where s.name in (select email from customers)",
    "select (c).email from customers c",
    "select t.v from customers, json_to_record(ssn::json) as t(v text)",
};

/// Here a sub-query offers a column that nobody takes.
constexpr std::string_view unread_offers[] = {
    "select c.id from customers c, lateral (select note from orders where customer_id = c.id) o",
    "with recursive r(n, s) as (select id, name from customers union all select n + 1, ssn from r, "
    "customers) select s from r",
};

class CatalogLive : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = fs::temp_directory_path() / ("sallyport-catalog-" + random_hex(system_random(), 6));
    fs::create_directories(folder);
    const auto now =
        std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
    auto ca = net::make_ca("catalog test", now, std::chrono::hours(24));
    ASSERT_TRUE(ca);
    auto leaf = net::make_certificate(*ca, {.common_name = "127.0.0.1",
                                            .ips = {"127.0.0.1"},
                                            .not_before = now - std::chrono::hours(1),
                                            .not_after = now + std::chrono::hours(24)});
    ASSERT_TRUE(leaf);
    std::ofstream(folder / "ca.pem") << ca->certificate_pem;
    EmbeddedPostgresOptions options;
    options.data = folder;
    options.certificate_pem = leaf->certificate_pem;
    options.key_pem = leaf->key_pem;
    options.ca_file = folder / "ca.pem";
    options.sql = schema_sql;
    auto started = EmbeddedPostgres::start(options, system_random());
    ASSERT_TRUE(started) << started.error().detail;
    server = std::move(*started);
    const std::string where =
        "host=127.0.0.1 port=" + std::to_string(server->port()) +
        " user=shop_gateway dbname=shop sslmode=require password=" + server->password();
    connection = PQconnectdb(where.c_str());
    ASSERT_EQ(PQstatus(connection), CONNECTION_OK) << PQerrorMessage(connection);
  }
  static void TearDownTestSuite() {
    PQfinish(connection);
    connection = nullptr;
    server.reset();
    fs::remove_all(folder);
  }

  using Rows = std::vector<std::vector<std::optional<std::string>>>;
  static Rows run(const std::string& sql) {
    PGresult* const result = PQexec(connection, sql.c_str());
    const ExecStatusType status = PQresultStatus(result);
    EXPECT_TRUE(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        << sql << ": " << PQerrorMessage(connection);
    Rows rows(static_cast<std::size_t>(PQntuples(result)));
    for (int r = 0; r < PQntuples(result); ++r) {
      for (int c = 0; c < PQnfields(result); ++c) {
        auto& row = rows[static_cast<std::size_t>(r)];
        if (PQgetisnull(result, r, c) != 0) {
          row.emplace_back(std::nullopt);
        } else {
          row.emplace_back(PQgetvalue(result, r, c));
        }
      }
    }
    PQclear(result);
    return rows;
  }

  static Result<std::shared_ptr<const Catalog>> load(postgres::catalog::LoadLimits limits = {}) {
    run("set search_path = ''");
    const int major = PQserverVersion(connection) / 10000;
    Loader loader(major, "shop_gateway", limits);
    const auto all = postgres::catalog::load_queries(major);
    for (std::size_t i = 0; i < all.size(); ++i) {
      for (const auto& row : run(all[i])) {
        const std::vector<std::optional<std::string_view>> views(row.begin(), row.end());
        if (auto taken = loader.row(i, views); !taken) return fail(taken);
      }
    }
    run("set search_path = public");
    return loader.finish(1);
  }

  static fs::path folder;
  static std::unique_ptr<EmbeddedPostgres> server;
  static PGconn* connection;
};
fs::path CatalogLive::folder;
std::unique_ptr<EmbeddedPostgres> CatalogLive::server;
PGconn* CatalogLive::connection = nullptr;

TEST_F(CatalogLive, LoadsWhatTheServerDefines) {
  auto loaded = load();
  ASSERT_TRUE(loaded) << loaded.error().detail;
  const Catalog& catalog = **loaded;
  EXPECT_EQ(catalog.database(), "shop");
  const auto* const customers = catalog.relation("", "customers", {"public"});
  ASSERT_NE(customers, nullptr);
  ASSERT_EQ(customers->columns.size(), 4u);
  EXPECT_EQ(customers->column("ssn")->number, 5);
  EXPECT_TRUE(customers->column("name")->not_null);
  EXPECT_EQ(catalog.relation_of_row_type(customers->row_type), customers);
  const auto* const people = catalog.relation("public", "people", {});
  ASSERT_NE(people, nullptr);
  EXPECT_EQ(catalog.generation_of(people->oid, 2), "upper(full_name)");
  EXPECT_EQ(catalog.rules_of(people->oid).size(), 1u);
  EXPECT_NE(catalog.relation("", "emails", {"public"})->definition.find("public.customers"),
            std::string_view::npos);
  EXPECT_EQ(catalog.triggers_of(catalog.relation("public", "orders", {})->oid).size(), 1u);
  EXPECT_EQ(catalog.descendants(catalog.relation("public", "events", {})->oid).size(), 1u);
  const auto fixed = catalog.functions("public", "fixed", {});
  ASSERT_EQ(fixed.size(), 1u);
  EXPECT_TRUE(fixed[0]->fixes_path);
  EXPECT_EQ(fixed[0]->search_path, (std::vector<std::string_view>{"hr", "pg_temp"}));
  const auto mail_of = catalog.functions("public", "mail_of", {});
  ASSERT_EQ(mail_of.size(), 1u);
  ASSERT_EQ(mail_of[0]->arguments.size(), 1u);
  EXPECT_EQ(mail_of[0]->arguments[0].name, "who");
  const auto* const mail = catalog.type("public", "mail", {});
  ASSERT_NE(mail, nullptr);
  ASSERT_EQ(mail->checks.size(), 1u);
  EXPECT_NE(mail->checks[0].find("public.mail_of"), std::string_view::npos);
  EXPECT_EQ(catalog.operators("", "~==", {"public"}).size(), 1u);
  EXPECT_FALSE(catalog.functions("", "generate_series", {}).empty());
}

TEST_F(CatalogLive, RefusesACatalogAboveTheLimitAndSaysSo) {
  auto loaded = load({.bytes_max = 100'000});
  run("set search_path = public");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::too_large);
}

TEST_F(CatalogLive, ReadsExactlyTheColumnsThatTheServerSaysAViewReads) {
  auto parser = *postgres::sql::Parser::make();
  for (const std::string_view query : queries) {
    auto loaded = load();
    ASSERT_TRUE(loaded) << loaded.error().detail;
    postgres::sql::Tracer tracer(*parser, *loaded);
    auto traced = tracer.trace(query, {.path = {"public"}});
    ASSERT_TRUE(traced);
    ASSERT_EQ(traced->size(), 1u);
    const postgres::sql::Lineage& lineage = traced->front();
    EXPECT_TRUE(lineage.cannot_tell.empty()) << query << ": " << lineage.cannot_tell.front();
    std::set<std::pair<std::string, std::string>> ours;
    for (const auto& reference : lineage.references) {
      for (const auto& [number, roles] : reference.columns) {
        ours.emplace(std::to_string(reference.relation), std::to_string(number));
      }
    }
    run("create view public.traced as " + std::string(query));
    std::set<std::pair<std::string, std::string>> servers;
    for (const auto& row :
         run("select refobjid, refobjsubid from pg_depend d join pg_rewrite r on r.oid = d.objid "
             "where d.classid = 'pg_rewrite'::regclass and r.ev_class = 'public.traced'::regclass "
             "and d.refclassid = 'pg_class'::regclass and refobjsubid > 0 "
             "and refobjid <> r.ev_class")) {
      servers.emplace(*row[0], *row[1]);
    }
    run("drop view public.traced");
    for (const auto& column : ours) {
      EXPECT_TRUE(servers.contains(column))
          << query << ": the server does not read " << column.first << "." << column.second;
    }
    std::size_t unread = 0;
    for (const auto& column : servers) unread += ours.contains(column) ? 0 : 1;
    const bool offers_more = std::ranges::find(unread_offers, query) != std::end(unread_offers);
    EXPECT_EQ(unread, offers_more ? 1u : 0u) << query;

    // Outputs that are a column as it is: the server says which.
    PGresult* const described = PQexec(connection, (std::string(query) + " limit 0").c_str());
    const auto columns = static_cast<std::size_t>(PQnfields(described));
    if (!lineage.open) {
      EXPECT_EQ(lineage.outputs.size(), columns) << query;
      for (std::size_t i = 0; i < columns && i < lineage.outputs.size(); ++i) {
        const auto& output = lineage.outputs[i];
        const int column = static_cast<int>(i);
        EXPECT_EQ(output.name, PQfname(described, column)) << query;
        const Oid table = PQftable(described, column);
        if (table == 0) continue;
        const postgres::sql::ColumnId origin{
            table, static_cast<std::int16_t>(PQftablecol(described, column))};
        EXPECT_TRUE(std::ranges::find(output.sources, origin) != output.sources.end())
            << query << ": output " << i;
      }
    }
    PQclear(described);
  }
}

}  // namespace
}  // namespace sallyport::app
