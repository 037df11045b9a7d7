// Any text: parsed, analysed, turned into actions. Nothing that is not understood has actions,
// nothing that reads only does more, and a text is analysed like its shape.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "protocol/postgres/sql/actions.h"
#include "protocol/postgres/sql/routines.h"
#include "protocol/postgres/sql/shape.h"
#include "protocol/postgres/sql/tokens.h"

namespace {

using namespace sallyport::postgres::sql;

void require(bool holds) {
  if (!holds) std::abort();
}

bool only_reads(const Statement& statement) {
  return !statement.dynamic_sql && statement.settings.empty() && statement.objects.empty() &&
         statement.copy != CopyEnd::file && statement.copy != CopyEnd::program &&
         statement.transaction_read_only != false &&
         std::ranges::all_of(statement.relations,
                             [](const auto& r) { return r.use == Use::select; }) &&
         std::ranges::all_of(statement.routines,
                             [](const auto& r) { return is_harmless(r.routine_class); }) &&
         std::ranges::all_of(statement.nested, only_reads);
}

void check_actions(const Analysis& analysis, std::string_view sql) {
  const Place places[] = {
      {.connection = "c", .database = "d", .server_major = 18},
      {.connection = "c", .database = "d", .search_path = {"a", "pg_catalog", "b"}},
      {.connection = "c", .database = "d", .search_path = {}},
  };
  const bool understood =
      analysis.understood &&
      std::ranges::all_of(analysis.statements, [](const auto& s) { return s.understood; });
  for (const Place& place : places) {
    const Decidable decidable = sallyport::postgres::sql::decidable(analysis, sql, place);
    require(decidable.actions.empty() == !decidable.why_not.empty());
    require(understood || decidable.actions.empty());
    if (decidable.read_only) {
      require(!decidable.actions.empty());
      require(std::ranges::all_of(analysis.statements, only_reads));
      require(std::ranges::all_of(decidable.actions, [](const auto& action) {
        return action.name == "sql:select" || action.name == "connect";
      }));
    }
  }
}

/// What the cache would answer for a text; empty: it would not.
std::string kept(Parser& parser, std::string_view sql) {
  auto analysis = analyse(parser, sql);
  if (!analysis || !may_be_kept(*analysis)) return "";
  return to_string(*analysis);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto parser = *Parser::make({.statement_bytes_max = 64 << 10});
  const std::string_view sql(reinterpret_cast<const char*>(data), size);
  const auto analysis = analyse(*parser, sql);
  if (analysis) {
    for (const auto& statement : analysis->statements) {
      require(!statement.read_only || only_reads(statement));
      require(statement.understood || (statement.relations.empty() && statement.nested.empty() &&
                                       !statement.why_not.empty()));
    }
    check_actions(*analysis, sql);
    (void)to_string(*analysis);
  }
  // Read without a parser, where it is a body of a function: every word is somewhere in it.
  if (const auto words = words_of(sql)) {
    for (const std::string& word : *words) require(word.size() <= size);
  }
  // A shape is itself a text of that shape.
  if (const auto shape = shape_of(sql)) {
    const auto again = shape_of(*shape);
    require(!again || again == shape);  // it may be too long for one
    require(kept(*parser, sql) == kept(*parser, *shape));
  }
  return 0;
}
