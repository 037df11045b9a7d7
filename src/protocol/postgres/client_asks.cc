// What a text of the client would do: the command that the policies are asked about, what it
// touches through names, and what of it is masked.

#include <algorithm>
#include <array>

#include "protocol/postgres/client_side.h"
#include "protocol/postgres/conversation.h"
#include "protocol/postgres/settings.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t named_in_a_text_max = 32;

/// With an empty or unknown search_path these could be anything, or nothing.
bool names_something_unqualified(const sql::Statement& statement) {
  const auto unqualified = [](const auto& use) { return use.name.schema.empty(); };
  const auto looked_up = [&](const sql::ObjectUse& object) {
    return (object.kind == "function" || object.kind == "type") && unqualified(object);
  };
  return std::ranges::any_of(statement.relations, unqualified) ||
         std::ranges::any_of(statement.objects, looked_up) ||
         std::ranges::any_of(statement.routines,
                             [](const sql::RoutineUse& use) {
                               return use.name.schema.empty() &&
                                      use.routine_class == sql::RoutineClass::unknown;
                             }) ||
         std::ranges::any_of(statement.nested, names_something_unqualified);
}

/// A text of several statements can fail as a whole and still have changed what these names mean.
bool redefines_names(const sql::Statement& statement) {
  return statement.prepared == sql::NamedEffect::define ||
         statement.prepared == sql::NamedEffect::deallocate ||
         statement.cursor == sql::CursorEffect::declare || statement.kind.starts_with("discard");
}

bool sets_application_name(const sql::Statement& statement) {
  return std::ranges::any_of(statement.settings, [](const sql::SettingChange& setting) {
    return setting.name == "application_name" && !setting.reset;
  });
}

/// A commit makes what was written before it count, and fires deferred triggers.
bool ends_in_effect(const sql::Analysis& analysis) {
  return std::ranges::any_of(analysis.statements, [](const sql::Statement& statement) {
    return statement.transaction == sql::TransactionEffect::commit ||
           statement.transaction == sql::TransactionEffect::prepare ||
           statement.transaction == sql::TransactionEffect::commit_prepared;
  });
}

}  // namespace

Refusal not_analysed(std::string reason, std::string hint) {
  return {.kind = Refusal::Kind::not_analysed,
          .reason = std::move(reason),
          .policy = "",
          .hint = std::move(hint)};
}

std::size_t copies_from_client(const sql::Analysis& analysis) {
  return static_cast<std::size_t>(
      std::ranges::count_if(analysis.statements, [](const sql::Statement& statement) {
        return statement.kind == "copy_from" && statement.copy == sql::CopyEnd::client;
      }));
}

bool reads_settings(const sql::Statement& statement) {
  return std::ranges::any_of(
             statement.routines,
             [](const sql::RoutineUse& use) { return use.name.name == "current_setting"; }) ||
         std::ranges::any_of(statement.nested, reads_settings);
}

bool uses_names(const sql::Statement& statement) {
  if (statement.prepared != sql::NamedEffect::none || statement.cursor != sql::CursorEffect::none ||
      statement.kind == "discard") {
    return true;
  }
  return std::ranges::any_of(statement.nested, uses_names);
}

Task<Conversation::Asked> Conversation::ask(std::string kind, std::string sql) {
  Asked asked;
  asked.command.kind = std::move(kind);
  if (!is_utf8(sql)) {
    asked.refusal = not_analysed("invalid byte sequence for encoding \"UTF8\"");
    asked.sqlstate = "22021";
    co_return asked;
  }
  asked.command.text = std::move(sql);
  auto analysis = shapes_.analyse(parser_, asked.command.text);
  if (!analysis) {
    asked.refusal = not_analysed("this statement is more than the gateway analyses: " +
                                 analysis.error().detail);
    asked.sqlstate = analysis.error().code == Errc::too_large ? "54000" : "54001";
    co_return asked;
  }
  asked.analysis = std::move(*analysis);
  if (!asked.analysis->understood) {
    asked.refusal = not_analysed(asked.analysis->why_not);
    asked.sqlstate = "42601";
    asked.position = asked.analysis->error_position;
    co_return asked;
  }
  // A name that SQL made may only be used when it is certain what it means.
  if (std::ranges::any_of(asked.analysis->statements, uses_names)) co_await batches_answered();
  place_.path_may_return = path_.before_transaction || path_.local;
  add_actions(*asked.analysis, sql::decidable(*asked.analysis, asked.command.text, place_), asked);
  asked.command.policy_epoch = guard_.policies()->epoch();
  if (needs_protection(asked)) co_await protect(asked, nullptr);
  limit(asked);
  co_return asked;
}

Task<Conversation::Asked> Conversation::ask_prepared(std::string kind,
                                                     std::shared_ptr<const Prepared> prepared) {
  Asked asked;
  asked.command.kind = std::move(kind);
  asked.command.text = prepared->sql;
  asked.analysis = prepared->analysis;
  add_actions(*prepared->analysis, decidable(*prepared), asked);
  asked.command.policy_epoch = guard_.policies()->epoch();
  if (needs_protection(asked)) {
    const std::string sent = prepared->as.empty() ? prepared->sql : prepared->as;
    co_await protect(asked, &sent);
    if (!asked.refusal) check_settings_read(asked, prepared->parameter_types);
    if (asked.command.executed == prepared->as) {
      asked.command.executed_sha256 = prepared->as_sha256;
    }
  }
  limit(asked);
  co_return asked;
}

Refusal Conversation::refused(const Asked& asked) {
  if (!asked.understood) return guard_.refuse(session_, asked.command, *asked.refusal);
  return guard_.refuse_understood(session_, asked.command, *asked.refusal, &decisions_);
}

/// Masks and filters what it would show. `sent`: what the server has been given of this text
/// already; what would be sent now has to be the same.
Task<void> Conversation::protect(Asked& asked, const std::string* sent) {
  asked.understood = true;
  const auto question = [&](const std::shared_ptr<const sql::Analysis>& analysis,
                            std::string_view sql) {
    return Masking::Question{.session = session_,
                             .target = target_,
                             .context = asked.command.context,
                             .analysis = analysis,
                             .sql = sql,
                             .names = {.path = place_.search_path, .temporary = temporary_},
                             .plain = asked.named.empty() && temporary_.empty()};
  };
  auto remembered = masking_.remembered(question(asked.analysis, asked.command.text));
  if (!remembered) {
    remembered = co_await masking_.mask(question(asked.analysis, asked.command.text));
  }
  Masked& masked = *remembered;
  guarded_ = guarded_ || masked.guarded;
  if (masked.guarded && !masked.refusal) {
    std::string why_not = sql::why_definitions_matter(*asked.analysis);
    if (!why_not.empty()) masked.refusal = not_analysed(std::move(why_not));
  }
  asked.command.safeguards = std::move(masked.safeguards);
  asked.command.policy_epoch = masked.epoch;
  asked.shield = masked.shield;
  asked.setting_parameters = masked.setting_parameters;
  const auto other = [&](const std::string& before, const Masked& now) {
    if (now.refusal) {
      asked.refusal = now.refusal;
      asked.sqlstate = now.sqlstate;
    } else if (now.sql != before) {
      asked.refusal =
          not_analysed("what is masked for you has changed since this statement was prepared",
                       "prepare it again");
      asked.sqlstate = "0A000";
    }
  };
  if (sent != nullptr && asked.replaced_sql.empty()) {
    other(*sent, masked);
  } else if (masked.refusal) {
    other("", masked);
  }
  if (asked.refusal) co_return;
  if (masked.changed) {
    asked.command.executed = masked.sql;
    asked.replaced_sql = std::move(masked.sql);
  }
  for (const Sent& named : asked.named) {
    const Masked again = co_await masking_.mask(question(named.analysis, named.sql));
    other(named.sent(), again);
    if (asked.refusal) co_return;
    asked.command.safeguards.insert(asked.command.safeguards.end(), again.safeguards.begin(),
                                    again.safeguards.end());
  }
}

/// current_setting($1): of another type it would be another text than what is bound.
void Conversation::check_settings_read(Asked& asked, const std::vector<std::uint32_t>& types) {
  static constexpr std::array<std::uint32_t, 4> texts{0, 25, 705, 1043};  // unsaid, text, varchar
  for (const int parameter : asked.setting_parameters) {
    const auto at = static_cast<std::size_t>(parameter);
    const std::uint32_t type = at >= 1 && at <= types.size() ? types[at - 1] : 0;
    if (std::ranges::find(texts, type) != texts.end()) continue;
    asked.refusal = not_analysed("the name of a setting is text", "declare the parameter as text");
    return;
  }
}

/// What names mean is worked out again only when it may have changed.
sql::Decidable Conversation::decidable(const Prepared& prepared) const {
  if (!prepared.decidable || prepared.decidable_place != place_version_) {
    prepared.decidable = sql::decidable(*prepared.analysis, prepared.sql, place_);
    prepared.decidable_place = place_version_;
  }
  return *prepared.decidable;
}

void Conversation::add_actions(const sql::Analysis& analysis, sql::Decidable decidable,
                               Asked& asked) {
  if (analysis.statements.size() > 1 && std::ranges::any_of(analysis.statements, redefines_names)) {
    asked.refusal = not_analysed("PREPARE, DEALLOCATE, DECLARE and DISCARD must be sent alone");
    return;
  }
  for (const sql::Statement& statement : analysis.statements) {
    asked.refusal = check_session_state(statement);
    if (asked.refusal) return;
    if (sets_application_name(statement)) {
      if (analysis.statements.size() != 1 || statement.kind != "set") {
        asked.refusal = not_analysed("application_name may only be set by a statement of its own");
        return;
      }
      // The label is what the target's log knows this session by: the gateway's, not the client's.
      asked.replaced_sql = label_statement(label_);
    }
  }
  if (decidable.actions.empty()) {
    asked.refusal = not_analysed(decidable.why_not.empty() ? "the gateway does not understand this"
                                                           : decidable.why_not);
    return;
  }
  decidable.context.read_only_transaction = read_only_;
  asked.command.actions = std::move(decidable.actions);
  asked.command.context = std::move(decidable.context);
  asked.command.read_only = decidable.read_only && !(ends_in_effect(analysis) && !read_only_);
  for (const sql::Statement& statement : analysis.statements) {
    add_named(statement, asked);
    if (asked.refusal) return;
  }
}

std::optional<Refusal> Conversation::check_session_state(const sql::Statement& statement) {
  // An empty path is known: names of pg_catalog are found, and decidable() refuses the others.
  if (!path_.current() && names_something_unqualified(statement)) {
    return not_analysed("search_path names no schema that the gateway knows",
                        "write schema.name for tables, types and functions");
  }
  for (const sql::RelationUse& relation : statement.relations) {
    // Its rule calls set_config, which the text does not show.
    if (relation.name.name == "pg_settings" && relation.use != sql::Use::select) {
      return not_analysed("pg_settings may not be written to", "use SET");
    }
  }
  for (const sql::SettingChange& setting : statement.settings) {
    if (sql::breaks_pin(setting)) {
      return not_analysed("the gateway keeps " + setting.name + " as it is");
    }
    if (target_ != nullptr && !setting.reset && target_->fixes(setting.name)) {
      return not_analysed("the operator sets " + setting.name + " for this connection");
    }
    if (read_only_ && setting.name.ends_with("transaction_read_only")) {
      return not_analysed("this session is read-only",
                          "no policy lets you change anything on this connection");
    }
  }
  if (read_only_ && statement.transaction_read_only == false) {
    return not_analysed("this session is read-only",
                        "no policy lets you change anything on this connection");
  }
  for (const sql::Statement& nested : statement.nested) {
    if (auto refusal = check_session_state(nested)) return refusal;
  }
  return std::nullopt;
}

/// A function that was called may have opened it and told its name. What it reads was permitted by
/// calling that; where something is masked nobody can tell. Portals of the protocol are no cursors
/// of anybody's: each of them is decided when it is executed.
bool Conversation::may_be_of_unseen_code(const std::string& cursor) const {
  return unseen_ran_ && !names_.had_portal(cursor) && !masking_.concerns(session_);
}

void Conversation::add_named(const sql::Statement& statement, Asked& asked) {
  std::shared_ptr<const sql::Analysis> meant;
  std::string sql;
  const bool executes = statement.prepared == sql::NamedEffect::execute;
  const bool reads =
      statement.cursor == sql::CursorEffect::fetch || statement.cursor == sql::CursorEffect::move;
  // FETCH may stand there a hundred thousand times.
  const bool is_new = (executes || reads) && asked.names_seen
                                                 .insert(executes ? "S" + statement.prepared_name
                                                                  : "P" + statement.cursor_name)
                                                 .second;
  if (is_new && asked.names_seen.size() > named_in_a_text_max) {
    asked.refusal = not_analysed("more than " + std::to_string(named_in_a_text_max) +
                                     " prepared statements and cursors in one text",
                                 "send it in parts");
    asked.sqlstate = "54000";
    return;
  }
  if (is_new && executes) {
    const auto prepared = names_.prepared(statement.prepared_name);
    if (prepared == nullptr) {
      asked.refusal =
          not_analysed("prepared statement \"" + statement.prepared_name + "\" does not exist");
      asked.sqlstate = "26000";
      return;
    }
    if (masking_.concerns(session_) &&
        std::ranges::any_of(prepared->analysis->statements, reads_settings)) {
      // Bind looks at what current_setting($1) gets; EXECUTE could give it anything.
      asked.refusal = not_analysed(
          "a prepared statement that reads settings cannot be EXECUTEd "
          "where columns are masked");
      return;
    }
    meant = prepared->analysis;
    sql = prepared->sql;
    asked.named.push_back({.sql = sql,
                           .as = prepared->as,
                           .analysis = meant,
                           .parameter_types = prepared->parameter_types});
  } else if (is_new) {
    const Cursor* const cursor = names_.cursor(statement.cursor_name);
    if (cursor == nullptr && may_be_of_unseen_code(statement.cursor_name)) {
      if (auto* const context = std::get_if<SqlContext>(&asked.command.context)) {
        context->dynamic_sql = true;
      }
      asked.command.read_only = false;
      return;
    }
    if (cursor == nullptr) {
      const bool concerned = masking_.concerns(session_);
      asked.refusal = not_analysed(
          "cursor \"" + statement.cursor_name + "\" does not exist",
          concerned ? "the gateway knows the cursors that DECLARE made in this session" : "");
      asked.sqlstate = "34000";
      return;
    }
    if (cursor->meant_at != meaning() && masking_.concerns(session_)) {
      asked.refusal = not_analysed("names mean something else than when this cursor was declared",
                                   "close it and declare it again");
      return;
    }
    meant = cursor->analysis;
    sql = cursor->sql;
    asked.named.push_back({.sql = sql, .as = cursor->as, .analysis = meant});
    asked.given.push_back(cursor->given);
  }
  if (meant != nullptr) {
    sql::Decidable inner = sql::decidable(*meant, sql, place_);
    if (inner.actions.empty()) {
      asked.refusal = not_analysed(inner.why_not);
      return;
    }
    auto& actions = asked.command.actions;
    actions.insert(actions.end(), inner.actions.begin(), inner.actions.end());
    std::ranges::sort(actions);
    actions.erase(std::ranges::unique(actions).begin(), actions.end());
    inner.context.read_only_transaction = read_only_;
    asked.command.context = std::move(inner.context);
    asked.command.read_only = asked.command.read_only && inner.read_only;
  }
  for (const sql::Statement& nested : statement.nested) {
    // What PREPARE and DECLARE hold is not run by them.
    add_named(nested, asked);
    if (asked.refusal) return;
  }
}

}  // namespace sallyport::postgres
