#pragma once
// Code of the database's own that a statement may run without naming it, or names and does not
// show: bodies of functions, triggers, defaults, checks, casts. What touches something protected
// may not run, for no rewriting gets there.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "protocol/postgres/sql/analysis.h"
#include "protocol/postgres/sql/guarded.h"
#include "protocol/postgres/sql/mentions.h"
#include "protocol/postgres/sql/rewrite.h"

namespace sallyport::postgres::sql {

class Unseen {
 public:
  /// Rewrites a definition whose unqualified names are looked up along a path.
  using Rewrite = std::function<Result<Rewriting>(std::string_view, const catalog::SearchPath&)>;
  using Reach = std::function<Reached(const catalog::Relation&)>;

  Unseen(const catalog::Catalog& catalog, Rewrite rewrite, Reach reach)
      : catalog_(catalog), rewrite_(std::move(rewrite)), reach_(std::move(reach)) {}

  // Why it may not run; empty: it may.

  std::string function(const catalog::Function& function, const catalog::SearchPath& path);
  std::string function(catalog::Oid oid, const catalog::SearchPath& path);
  /// What runs when rows of the relation are written in this way.
  std::string writing(const catalog::Relation& relation, Use use, const catalog::SearchPath& path);
  /// Casts and checks of types that may come up, in a statement that uses these relations.
  std::string types(const Mentions& mentions, const std::set<catalog::Oid>& relations,
                    const catalog::SearchPath& path);

 private:
  std::string read(const catalog::Function& function, const catalog::SearchPath& path);
  std::string read_plpgsql(const catalog::Function& function, const catalog::SearchPath& path);
  std::string trigger(const catalog::Function& function, const catalog::Relation& relation,
                      const catalog::SearchPath& path);
  std::string word(std::string_view word, bool called, const catalog::SearchPath& path);
  bool comes_up(catalog::Oid type, const Mentions& mentions,
                const std::set<catalog::Oid>& relations);

  const catalog::Catalog& catalog_;
  Rewrite rewrite_;
  Reach reach_;
  std::map<catalog::Oid, std::string> known_;  // of functions; of one that is being read: ""
  int depth_ = 0;
};

}  // namespace sallyport::postgres::sql
