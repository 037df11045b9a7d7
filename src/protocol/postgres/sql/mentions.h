#pragma once
// Every name that a tree mentions where a column could be meant, without asking what it refers to:
// the cautious question "may this statement use a column of that name at all?".

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/postgres/sql/tree.h"

namespace sallyport::postgres::sql {

struct Mentions {
  struct Column {
    std::size_t location = 0;
    std::vector<std::string> parts;  // the last one is "*" for all
  };
  std::vector<Column> columns;
  std::set<std::string, std::less<>> names;      // last parts, USING, (x).name, name(x)
  std::set<std::string, std::less<>> bare;       // of one part: may be a whole row
  std::set<std::string, std::less<>> called;     // functions
  std::set<std::string, std::less<>> operators;  // as single names
  bool all = false;                              // a `*` or a NATURAL JOIN
  std::set<std::string, std::less<>> types;      // last parts
  /// current_setting or SHOW, other than of a constant name that is not the gateway's.
  bool reads_gateway_setting = false;
  /// $1 of current_setting($1), which is nowhere else: whoever parses has to look at its type, and
  /// whoever binds at the values.
  std::set<int> setting_parameters;
  std::map<int, int> parameters;  // how often each stands there
  std::size_t copy_location = 0;  // of the relation of a COPY
  std::vector<std::string> copy_columns;
  /// ON CONFLICT without named columns, so that any unique column decides.
  bool conflict_on_any = false;
  std::set<std::string, std::less<>>
      row_names;  // old, new, excluded, and what RETURNING calls them
};

Mentions mentions_of(Value tree);

}  // namespace sallyport::postgres::sql
