#pragma once
// Masking: what a session may not see of a command's answer, decided by the policies (`reveal`,
// `unfilter`) for each column and row filter that the command reaches, and the text in which the
// database itself masks it (sql/rewrite.h). One per worker.

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "guard/guard.h"
#include "policy/decision_cache.h"
#include "protocol/postgres/catalog_desk.h"
#include "protocol/postgres/classified.h"
#include "protocol/postgres/sql/analysis.h"
#include "protocol/postgres/sql/rewrite.h"

namespace sallyport::postgres {

/// What a command may show, as it was decided: for the second look at its answer.
struct Shield {
  std::shared_ptr<const Classified> classified;
  CommandContext context;
};

/// A text as it is to be sent for this session.
struct Masked {
  std::string sql;       // the text itself where nothing had to change
  bool changed = false;  // it is another
  /// Something is masked or filtered for this chain on this connection, in this text or not: the
  /// server's errors and notices are not for it.
  bool guarded = false;
  std::shared_ptr<const Shield> shield;  // if guarded
  std::vector<Safeguard> safeguards;     // in force for this text
  std::uint64_t epoch = 0;               // of the policies that said so
  std::set<int> setting_parameters;      // sql/rewrite.h

  std::optional<Refusal> refusal;  // then none of the above but `guarded`
  std::string_view sqlstate = "42501";
};

class Masking {
 public:
  /// All must outlive it.
  Masking(Guard& guard, CatalogDesk& catalogs, sql::Parser& parser, policy::DecisionCache& cache)
      : guard_(guard), catalogs_(catalogs), parser_(parser), cache_(cache) {}

  /// False: nothing on the session's connection is classified or filtered.
  bool concerns(const Session& session) const;

  struct Question {
    const Session& session;
    std::shared_ptr<const Target> target;
    const CommandContext& context;
    const std::shared_ptr<const sql::Analysis>& analysis;  // of `sql`, understood
    std::string_view sql;
    sql::Names names;
    /// The context is what the analysis says, nothing of what names in the text stand for; and the
    /// session has no temporary relations.
    bool plain = false;
  };
  /// What mask() would say, if it said so to this session of this analysis a short while ago and
  /// everything that it depends on is as it was.
  std::optional<Masked> remembered(const Question& question);
  /// May read the catalog first, and once more if a name is not in it.
  Task<Masked> mask(Question question);

  /// The column is one that this session may not see as it is.
  bool hides(const Session& session, const Shield& shield, sql::ColumnOrigin origin);

 private:
  class Protector;
  struct Known {
    std::shared_ptr<const policy::Policies> policies;
    std::shared_ptr<const Classified> classified;
  };
  struct Kept {
    std::string key;
    std::shared_ptr<const Classified> classified;
    std::vector<std::pair<catalog::Oid, std::string>> consulted;  // and what was said of it
    sql::Rewriting rewriting;
    std::size_t bytes = 0;
  };

  std::shared_ptr<const Classified> classified(const Session& session,
                                               std::shared_ptr<const catalog::Catalog> catalog);
  Masked decide(const Question& question, std::shared_ptr<const catalog::Catalog> catalog,
                bool& unknown_name);
  Result<sql::Rewriting> rewriting(const Question& question, Protector& protector);
  const Kept* kept(const std::string& key, Protector& protector);
  void keep(Kept kept);

  /// An answer that was given. Whose: by the session's id, which no other session ever has.
  struct Answered {
    std::string session;
    std::shared_ptr<const sql::Analysis> analysis;
    catalog::SearchPath path;
    std::shared_ptr<const policy::Policies> policies;
    std::shared_ptr<const catalog::Catalog> catalog;
    bool alike = false;  // the same, whatever the constants in the text are
    std::string sql;
    Masked masked;
  };
  static constexpr std::size_t answered_max = 256;  // a power of two
  Answered& place_of(const Question& question);

  Guard& guard_;
  CatalogDesk& catalogs_;
  sql::Parser& parser_;
  policy::DecisionCache& cache_;
  std::map<std::pair<std::string, std::string>, Known> known_;  // by connection and database
  std::list<Kept> kept_;                                        // most recently used first
  std::unordered_map<std::string_view, std::list<Kept>::iterator> by_key_;
  std::size_t kept_bytes_ = 0;
  std::vector<Answered> answered_;  // by session and analysis; the newer takes the older's place
};

}  // namespace sallyport::postgres
