#pragma once
// What PostgreSQL's own functions do, and which names are PostgreSQL's own at all. A name that is
// not here is somebody's, and never harmless.

#include "protocol/postgres/sql/analysis.h"

namespace sallyport::postgres::sql {

/// A call of `name` as written. Only unqualified and pg_catalog names are looked up, but what runs
/// SQL is known in any schema.
RoutineUse classify_routine(Name name);
/// Changes nothing and reads nobody's data: pure, session or catalog.
bool is_harmless(RoutineClass routine_class);
/// The relation of pg_catalog that a function of RoutineClass::catalog reads.
std::string_view catalog_of(std::string_view routine);

/// A table or view of pg_catalog, which the server searches before the search_path: the major
/// version that brought it, or the oldest that is supported. 0: it is none.
int catalog_relation_since(std::string_view name);

/// A type of pg_catalog, or a domain of information_schema, as written.
bool is_system_type(const Name& name);
/// An operator of pg_catalog, as written.
bool is_system_operator(const Name& name);
/// A column of what some function of pg_catalog returns.
bool is_system_output(std::string_view column);

/// A kind of node that an expression may be made of.
bool is_expression_node(std::string_view kind);

}  // namespace sallyport::postgres::sql
