#pragma once
// GROUP BY of a primary key: the server then takes the other columns of the table as grouped, but
// not where a sub-query stands for the table. So they are named as well, which changes nothing.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "protocol/postgres/catalog/catalog.h"
#include "protocol/postgres/sql/mentions.h"
#include "protocol/postgres/sql/tree.h"

namespace sallyport::postgres::sql {

/// A relation that a sub-query stands for.
struct Replaced {
  const catalog::Relation* relation = nullptr;
  std::string called;
};

struct GroupedBy {
  std::size_t location = 0;          // of a column of the key in GROUP BY: they go before it
  std::vector<std::string> columns;  // "c"."name"
};

/// What has to be added in all queries of a text. `replaced` is by location of the name in FROM.
std::vector<GroupedBy> ungrouped(Value tree, const std::map<std::size_t, Replaced>& replaced,
                                 const Mentions& mentions);

}  // namespace sallyport::postgres::sql
