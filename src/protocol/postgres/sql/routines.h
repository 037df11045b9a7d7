#pragma once
// What PostgreSQL's own functions do, by name. A name that is not here is unknown, never harmless.

#include "protocol/postgres/sql/analysis.h"

namespace sallyport::postgres::sql {

/// `name` as written; only unqualified and pg_catalog names are looked up.
RoutineClass classify_routine(const Name& name);
/// A table or view of pg_catalog, which the server searches before the search_path.
bool is_catalog_relation(std::string_view name);

}  // namespace sallyport::postgres::sql
