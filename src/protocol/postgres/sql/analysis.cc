#include "protocol/postgres/sql/analysis.h"

#include "protocol/postgres/sql/tree.h"
#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {

namespace {

constexpr std::size_t kStatementsMax = 1000;

/// Half of what a statement does is worse than nothing.
void forget_findings(Statement& statement) {
  Statement bare{.kind = std::move(statement.kind),
                 .offset = statement.offset,
                 .length = statement.length,
                 .understood = false,
                 .why_not = std::move(statement.why_not)};
  statement = std::move(bare);
}

}  // namespace

Result<Analysis> analyse(Parser& parser, std::string_view sql, std::vector<FromSite>* sites) {
  auto parsed = parser.parse(sql);
  if (!parsed) return fail(parsed);
  Analysis analysis;
  if (parsed->rejected) {
    analysis.understood = false;
    analysis.why_not = parsed->message;
    analysis.error_position = parsed->position;
    return analysis;
  }
  auto root = read_tree(parsed->tree);
  if (!root) return fail(root);
  Object top;
  if (root->get(top) != simdjson::SUCCESS) return fail(Errc::malformed, "tree: not an object");
  const auto statements = array(top, "stmts");
  if (!statements) return analysis;
  if (statements->size() > kStatementsMax) {
    return fail(Errc::too_large, "more than 1000 statements in one string");
  }
  Survey survey{.sites = sites};
  for (Value item : *statements) {
    Object raw;
    if (item.get(raw) != simdjson::SUCCESS) return fail(Errc::malformed, "tree: not a statement");
    Statement statement;
    statement.offset = static_cast<std::size_t>(number(raw, "stmt_location"));
    statement.length = static_cast<std::size_t>(number(raw, "stmt_len"));
    if (statement.length == 0)
      statement.length = sql.size() - std::min(statement.offset, sql.size());
    if (const auto inner = node(raw, "stmt")) {
      Walker(statement, survey, false).statement(*inner);
      if (!statement.understood) forget_findings(statement);
      analysis.statements.push_back(std::move(statement));
    } else {
      return fail(Errc::malformed, "tree: a statement without a body");
    }
  }
  analysis.depends_on_literals = survey.depends_on_literals;
  return analysis;
}

}  // namespace sallyport::postgres::sql
