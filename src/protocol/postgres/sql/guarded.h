#pragma once
// What a session with masked columns may not do at all: everything that could get at masked values
// without going through a sub-query that masks them. Reads in FROM are rewrite.h's; this is for
// the rest: targets of changes, definitions, functions, statistics.

#include <functional>
#include <set>
#include <string>

#include "protocol/postgres/sql/analysis.h"
#include "protocol/postgres/sql/mentions.h"
#include "protocol/postgres/sql/rewrite.h"

namespace sallyport::postgres::sql {

/// What is protected behind a relation.
struct Reached {
  const Protection* protection = nullptr;
  bool through_view = false;  // a view of something that is protected
  bool unclear = false;       // nobody can say
};

struct WhyNot {
  std::string text;  // empty: it may
  std::string hint = "";
  bool unknown_name = false;
};

/// Sequences and the numbers of transactions.
bool reads_harmlessly(std::string_view routine);

struct Guarded {
  const catalog::Catalog& catalog;
  const catalog::SearchPath& path;
  const Mentions& mentions;
  bool definition = false;  // of a view or a function: only queries
  const std::set<std::string, std::less<>>* temporary = nullptr;  // relations of the session
  std::function<Reached(const catalog::Relation&)> reach;
  class Unseen& unseen;

  // What was replaced in FROM.
  bool replaced = false;
  std::set<std::string, std::less<>> replaced_names = {};  // of masked columns
  std::set<std::string, std::less<>> replaced_rows = {};   // as the relations are called
  bool hidden_names = false;  // masked columns go by other names as well

  WhyNot why_not(const Statement& statement) const;

 private:
  WhyNot relation(const Statement& statement, const RelationUse& use) const;
  WhyNot other_of_that_name(const RelationUse& use) const;
  WhyNot system_relation(const RelationUse& use) const;
  WhyNot target(const Statement& statement, const RelationUse& use,
                const catalog::Relation& relation, const Reached& reached) const;
  WhyNot routine(const RoutineUse& use) const;
  WhyNot unseen_code(const Statement& statement) const;
  WhyNot written(const RelationUse& use, const catalog::Relation& relation) const;
  WhyNot laundering(const Statement& statement) const;
  bool is_temporary(const RelationUse& use) const;
  bool any_written(const Statement& statement) const;
};

}  // namespace sallyport::postgres::sql
