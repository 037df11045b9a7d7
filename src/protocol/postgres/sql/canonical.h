#pragma once
// A parse tree as a text in which only its meaning is left: without places. Two statements of one
// canonical text are the same statement. With replacements, it is the text that the tree would have
// if some of its nodes were others: what a rewritten statement has to be equal to.

#include <cstddef>
#include <map>
#include <string>

#include "protocol/postgres/sql/tree.h"

namespace sallyport::postgres::sql {

struct Replacements {
  /// RangeVar in FROM at this location -> the canonical text that stands for it.
  std::map<std::size_t, std::string> relations;
  /// ColumnRef at this location -> so many of its first names are gone.
  std::map<std::size_t, std::size_t> shortened;
  /// ColumnRef at this location, in a list -> canonical texts of items that come before it.
  std::map<std::size_t, std::string> before;
  /// The query of a COPY whose relation it stands for. Empty: none.
  std::string copied;
};

std::string canonical(Value tree, const Replacements& replacements = {});
/// A text as JSON writes it.
std::string canonical_text(std::string_view text);

}  // namespace sallyport::postgres::sql
