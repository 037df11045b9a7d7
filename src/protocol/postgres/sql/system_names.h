#pragma once
// The names of pg_catalog, as lists. routines.h answers questions about them.

#include <span>
#include <string_view>
#include <utility>

#include "protocol/postgres/sql/analysis.h"

namespace sallyport::postgres::sql {

/// All names of a class; none for RoutineClass::unknown, and those of RoutineClass::catalog are
/// catalog_routines().
std::span<const std::string_view> system_routines(RoutineClass routine_class);
/// Each with the relation of pg_catalog that it reads.
std::span<const std::pair<std::string_view, std::string_view>> catalog_routines();
std::span<const std::string_view> system_relations();
std::span<const std::string_view> system_types();
std::span<const std::string_view> system_operators();
/// What the columns of functions that return rows are called.
std::span<const std::string_view> system_outputs();

}  // namespace sallyport::postgres::sql
