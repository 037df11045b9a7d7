#pragma once
// Whether only to plan a statement would run code of somebody's own. The planner runs what is
// immutable, to know its value, and asks what is stable, to know how much it is about: functions
// that a view, a policy, a domain, an operator or a cast brings in without the text naming them.

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/postgres/catalog/catalog.h"
#include "protocol/postgres/sql/parser.h"
#include "protocol/postgres/sql/rewrite.h"

namespace sallyport::postgres::sql {

/// Why planning `sql` might run something, in words for people; empty: it runs nothing but the
/// server's own, and code that only a superuser can have made. Cautious: what is not known might.
/// `types` are those of its parameters. An Error is the parser's limits.
Result<std::string> runs_in_planning(Parser& parser, std::string_view sql,
                                     const catalog::Catalog& catalog, const Names& names,
                                     std::span<const catalog::Oid> types);

}  // namespace sallyport::postgres::sql
