#include "protocol/postgres/masking.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/log.h"
#include "policy/policies.h"
#include "protocol/postgres/client_side.h"
#include "protocol/postgres/sql/shape.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t kept_max = 4096;
constexpr std::size_t kept_bytes_max = std::size_t{32} << 20;
constexpr std::size_t databases_known_max = 256;
constexpr std::size_t answered_bytes_max = std::size_t{32} << 10;

/// They need no catalog: they touch no data and show none.
bool controls_only(const sql::Analysis& analysis) {
  static constexpr std::array<std::string_view, 9> kinds = {
      "begin",       "commit",      "rollback", "savepoint",      "release",
      "rollback_to", "discard_all", "set",      "set_transaction"};
  return std::ranges::all_of(analysis.statements, [](const sql::Statement& statement) {
    return std::ranges::find(kinds, statement.kind) != kinds.end() && statement.routines.empty();
  });
}

}  // namespace

/// Asks the policies for one command, each relation once.
class Masking::Protector {
 public:
  Protector(Masking& masking, const Session& session, const CommandContext& context,
            std::shared_ptr<const Classified> classified)
      : masking_(masking),
        session_(session),
        context_(context),
        classified_(std::move(classified)) {}

  /// Null: nothing of it is protected.
  const sql::Protection* protection(catalog::Oid relation) {
    const auto [found, added] = asked_.try_emplace(relation);
    if (added) ask(relation, found->second);
    return found->second.protection.empty() && found->second.protection.unclear.empty()
               ? nullptr
               : &found->second.protection;
  }

  /// Something on the connection is protected.
  bool anything() {
    for (const auto& [oid, of] : classified_->all()) {
      if (protection(oid) != nullptr) return true;
    }
    const auto& columns = classified_->unmatched();
    const auto& filters = classified_->unmatched_filters();
    return (!columns.empty() && !permitted("reveal", columns)) ||
           (!filters.empty() && !permitted("unfilter", filters));
  }

  /// What was said of a relation, to be compared.
  std::string said(catalog::Oid relation) {
    const sql::Protection* const protection = this->protection(relation);
    std::string text;
    if (protection == nullptr) return text;
    for (const sql::MaskedColumn& column : protection->masked) {
      text += std::to_string(column.number) + " " + std::string(to_string(column.mask.kind)) + "/" +
              std::to_string(static_cast<int>(column.mask.shape)) + " " + column.classification +
              ";";
    }
    for (const std::string& filter : protection->filters) text += filter + ";";
    return text + protection->unclear;
  }

  std::vector<std::pair<catalog::Oid, std::string>> consulted() {
    std::vector<std::pair<catalog::Oid, std::string>> all;
    for (const auto& [oid, asked] : asked_) all.emplace_back(oid, "");
    for (auto& [oid, text] : all) text = said(oid);
    return all;
  }

  /// Of what a text reaches.
  std::vector<Safeguard> safeguards(const sql::Rewriting& rewriting) {
    std::vector<Safeguard> all;
    for (const sql::ColumnOrigin& origin : rewriting.masked) {
      const Classified::Of* const of = classified_->of(origin.relation);
      const sql::Protection* const protection = this->protection(origin.relation);
      if (of == nullptr || protection == nullptr) continue;
      const auto masked =
          std::ranges::find(protection->masked, origin.number, &sql::MaskedColumn::number);
      const auto column =
          std::ranges::find(of->columns, origin.number, &Classified::Column::number);
      if (masked == protection->masked.end() || column == of->columns.end()) continue;
      all.push_back({.action = {"reveal", column->sources.front().column},
                     .effect = std::string(to_string(masked->mask.kind)) + " (" +
                               masked->classification + ")"});
    }
    for (const catalog::Oid oid : rewriting.filtered) {
      const Classified::Of* const of = classified_->of(oid);
      if (of == nullptr) continue;
      for (const Classified::Filter& filter : of->filters) {
        if (permitted("unfilter", {filter.resource})) continue;
        all.push_back({.action = {"unfilter", filter.resource}, .effect = filter.condition});
      }
    }
    return all;
  }

  const std::shared_ptr<const Classified>& classified() const { return classified_; }

 private:
  struct Asked {
    sql::Protection protection;
  };

  bool permitted(std::string_view action, const std::vector<Resource>& resources) {
    std::vector<Action> actions;
    actions.reserve(resources.size());
    for (const Resource& resource : resources) actions.push_back({std::string(action), resource});
    // More than are decided at once: then one after the other.
    if (actions.size() > 64) {
      return std::ranges::all_of(actions, [&](const Action& one) {
        return masking_.guard_.safeguards(session_, context_, {one}, &masking_.cache_)->verdict ==
               Verdict::allow;
      });
    }
    return masking_.guard_.safeguards(session_, context_, std::move(actions), &masking_.cache_)
               ->verdict == Verdict::allow;
  }

  void ask(catalog::Oid relation, Asked& asked) {
    const Classified::Of* const of = classified_->of(relation);
    if (of == nullptr) return;
    asked.protection.unclear = of->unclear;
    // All at once: mostly all are permitted, or few.
    std::vector<Resource> all;
    for (const Classified::Column& column : of->columns) {
      for (const Classified::Source& source : column.sources) all.push_back(source.column);
    }
    std::ranges::sort(all);
    all.erase(std::ranges::unique(all).begin(), all.end());
    if (!all.empty() && !permitted("reveal", all)) {
      for (const Classified::Column& column : of->columns) mask(column, asked.protection);
    }
    for (const Classified::Filter& filter : of->filters) {
      if (!permitted("unfilter", {filter.resource})) {
        asked.protection.filters.push_back(filter.condition);
      }
    }
  }

  void mask(const Classified::Column& column, sql::Protection& protection) {
    std::vector<std::string> classifications;
    for (const Classified::Source& source : column.sources) {
      if (permitted("reveal", {source.column})) continue;
      for (const std::string& one : source.classifications) {
        if (std::ranges::find(classifications, one) == classifications.end()) {
          classifications.push_back(one);
        }
      }
    }
    if (classifications.empty()) return;
    std::string names;
    for (const std::string& one : classifications) names += (names.empty() ? "" : ", ") + one;
    protection.masked.push_back({.number = column.number,
                                 .mask = mask::mask_of(classifications, classified_->masks()),
                                 .classification = std::move(names)});
  }

  Masking& masking_;
  const Session& session_;
  const CommandContext& context_;
  std::shared_ptr<const Classified> classified_;
  std::map<catalog::Oid, Asked> asked_;
};

bool Masking::concerns(const Session& session) const {
  const auto policies = guard_.policies();
  const policy::ConnectionFacts* const facts = policies->connection(session.connection);
  return facts != nullptr && facts->protects();
}

std::shared_ptr<const Classified> Masking::classified(
    const Session& session, std::shared_ptr<const catalog::Catalog> catalog) {
  auto policies = guard_.policies();
  if (known_.size() > databases_known_max) known_.clear();
  Known& known = known_[{session.connection, session.database}];
  if (known.classified != nullptr && known.policies == policies &&
      &known.classified->catalog() == catalog.get()) {
    return known.classified;
  }
  const policy::ConnectionFacts* const facts = policies->connection(session.connection);
  static const policy::ConnectionFacts none;
  known.classified = Classified::make(parser_, std::move(catalog), facts != nullptr ? *facts : none,
                                      known.classified.get());
  known.policies = std::move(policies);
  answered_.clear();  // those of before are not kept alive by what nobody will ask again
  return known.classified;
}

Masking::Answered& Masking::place_of(const Question& question) {
  if (answered_.empty()) answered_.resize(answered_max);
  const std::size_t hash = std::hash<std::string_view>()(question.session.id) * 31 +
                           std::hash<const void*>()(question.analysis.get());
  return answered_[(hash ^ hash >> 8) & (answered_max - 1)];
}

std::optional<Masked> Masking::remembered(const Question& question) {
  if (!question.plain) return std::nullopt;
  const Answered& answered = place_of(question);
  const bool same =
      answered.analysis == question.analysis && answered.session == question.session.id &&
      (answered.alike || answered.sql == question.sql) && answered.path == question.names.path &&
      answered.policies == guard_.policies() &&
      answered.catalog == catalogs_.at_hand(*question.target, question.session.database);
  if (!same) return std::nullopt;
  Masked masked = answered.masked;
  if (answered.alike) masked.sql = question.sql;
  return masked;
}

Task<Masked> Masking::mask(Question question) {
  const auto refused = [](Refusal refusal, std::string_view sqlstate) {
    Masked masked{.guarded = true, .refusal = std::move(refusal)};
    masked.sqlstate = sqlstate;
    return masked;
  };
  auto catalog = catalogs_.at_hand(*question.target, question.session.database);
  for (auto want = CatalogDesk::Want::current;; want = CatalogDesk::Want::newer) {
    if (catalog == nullptr || want == CatalogDesk::Want::newer) {
      auto read = co_await catalogs_.get(question.target, question.session.database, want);
      if (!read) {
        if (controls_only(*question.analysis)) {
          co_return Masked{.sql = std::string(question.sql), .guarded = true};
        }
        co_return refused(
            not_analysed("the gateway cannot read what this database defines, so it cannot tell "
                         "what to mask",
                         "try again; the gateway's log has the reason"),
            "57P03");
      }
      catalog = std::move(*read);
    }
    bool unknown_name = false;
    Masked masked = decide(question, catalog, unknown_name);
    if (!unknown_name || want == CatalogDesk::Want::newer) co_return masked;
  }
}

Masked Masking::decide(const Question& question, std::shared_ptr<const catalog::Catalog> catalog,
                       bool& unknown_name) {
  const auto policies = guard_.policies();
  Protector protector(*this, question.session, question.context,
                      classified(question.session, catalog));
  Masked masked{.sql = std::string(question.sql), .epoch = policies->epoch()};
  const auto remember = [&](bool alike) {
    // As many as 256 texts are kept, whoever sends them.
    if (question.sql.size() + masked.sql.size() > answered_bytes_max) return;
    static const Command safeguards{.actions = {{.name = "reveal"}, {.name = "unfilter"}}};
    if (!question.plain || guard_.policies() != policies) return;
    if (policies->key_plan().is_always_new(question.session, safeguards)) return;
    place_of(question) = {.session = question.session.id,
                          .analysis = question.analysis,
                          .path = question.names.path,
                          .policies = policies,
                          .catalog = std::move(catalog),
                          .alike = alike,
                          .sql = std::string(alike ? std::string_view() : question.sql),
                          .masked = masked};
    if (alike) place_of(question).masked.sql.clear();
  };
  masked.guarded = protector.anything();
  if (!masked.guarded) {
    remember(true);
    return masked;
  }
  masked.shield = std::make_shared<const Shield>(protector.classified(), question.context);
  auto rewriting = this->rewriting(question, protector);
  if (!rewriting) {
    masked.refusal = not_analysed("this statement is more than the gateway rewrites: " +
                                  rewriting.error().detail);
    masked.sqlstate = "54000";
    return masked;
  }
  if (!rewriting->refused.empty()) {
    unknown_name = rewriting->unknown_name;
    masked.refusal = not_analysed(rewriting->refused, rewriting->hint);
    masked.sqlstate = rewriting->unknown_name ? "42P01" : rewriting->sqlstate;
    return masked;
  }
  masked.setting_parameters = rewriting->setting_parameters;
  masked.changed = rewriting->changed;
  if (masked.changed) masked.sql = rewriting->sql;
  masked.safeguards = protector.safeguards(*rewriting);
  remember(!masked.changed && !rewriting->depends_on_constants &&
           sql::may_be_kept(*question.analysis));
  return masked;
}

/// From what was rewritten before, if the policies say the same of all that it was made with.
const Masking::Kept* Masking::kept(const std::string& key, Protector& protector) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const Kept& kept = *found->second;
  if (kept.classified != protector.classified()) return nullptr;
  for (const auto& [oid, said] : kept.consulted) {
    if (protector.said(oid) != said) return nullptr;
  }
  kept_.splice(kept_.begin(), kept_, found->second);
  return &kept;
}

Result<sql::Rewriting> Masking::rewriting(const Question& question, Protector& protector) {
  std::string place;
  for (const std::string& schema : question.names.path) place += schema + '\0';
  for (const std::string& name : question.names.temporary) place += '\1' + name;
  place += '\0';
  const std::string by_text = "text " + place + std::string(question.sql);
  if (const Kept* const known = kept(by_text, protector)) return known->rewriting;
  // Where nothing has to change and no constant decides, all texts of a shape are alike.
  std::optional<std::string> by_shape;
  if (sql::may_be_kept(*question.analysis)) by_shape = sql::shape_of(question.sql);
  if (by_shape) {
    by_shape->insert(0, "shape " + place);
    if (const Kept* const known = kept(*by_shape, protector)) {
      sql::Rewriting same = known->rewriting;
      same.sql = question.sql;
      return same;
    }
  }
  auto made = sql::rewrite(
      parser_, question.sql, protector.classified()->catalog(), question.names,
      [&](const catalog::Relation& relation) { return protector.protection(relation.oid); });
  if (!made) return fail(made);
  if (!made->refused.empty()) return made;
  const bool alike = by_shape && !made->changed && !made->depends_on_constants;
  keep({.key = alike ? *by_shape : by_text,
        .classified = protector.classified(),
        .consulted = protector.consulted(),
        .rewriting = *made});
  if (alike) kept_.front().rewriting.sql.clear();
  return made;
}

void Masking::keep(Kept made) {
  made.bytes = made.key.size() + made.rewriting.sql.size() + 512;
  for (const auto& [oid, said] : made.consulted) made.bytes += said.size() + 64;
  if (made.bytes > kept_bytes_max / 16) {
    return;
  }
  if (const auto old = by_key_.find(made.key); old != by_key_.end()) {
    const auto place = old->second;
    by_key_.erase(old);
    kept_bytes_ -= place->bytes;
    kept_.erase(place);
  }
  kept_bytes_ += made.bytes;
  kept_.push_front(std::move(made));
  by_key_.emplace(kept_.front().key, kept_.begin());
  while (kept_.size() > kept_max || kept_bytes_ > kept_bytes_max) {
    kept_bytes_ -= kept_.back().bytes;
    by_key_.erase(kept_.back().key);
    kept_.pop_back();
  }
}

bool Masking::hides(const Session& session, const Shield& shield, sql::ColumnOrigin origin) {
  const Classified::Of* const of = shield.classified->of(origin.relation);
  if (of == nullptr) return false;
  Protector protector(*this, session, shield.context, shield.classified);
  const sql::Protection* const protection = protector.protection(origin.relation);
  return protection != nullptr &&
         std::ranges::find(protection->masked, origin.number, &sql::MaskedColumn::number) !=
             protection->masked.end();
}

}  // namespace sallyport::postgres
