// What a statement that succeeded changed for the session: what names mean, and where they are
// looked for.

#include <algorithm>

#include "protocol/postgres/conversation.h"
#include "protocol/postgres/settings.h"

namespace sallyport::postgres {

void Conversation::apply(const sql::Analysis& analysis, std::string_view text,
                         std::string_view sent) {
  definitions_changed(analysis);
  const auto inner = [](const sql::Statement& statement) {
    auto of = std::make_shared<sql::Analysis>();
    of->statements = statement.nested;
    return of;
  };
  for (const sql::Statement& statement : analysis.statements) {
    bool kept = true;
    switch (statement.prepared) {
      case sql::NamedEffect::define: {
        auto prepared = std::make_shared<Prepared>();
        prepared->sql = text;
        prepared->as = sent;
        prepared->analysis = inner(statement);
        prepared->held = Held(held_bytes_, text.size() + sent.size() + 512);
        std::shared_ptr<Prepared> before;
        kept = names_.define(statement.prepared_name, std::move(prepared), before);
        break;
      }
      case sql::NamedEffect::deallocate:
        if (statement.prepared_name.empty()) {
          names_.forget_all_prepared();
        } else {
          names_.forget_prepared(statement.prepared_name);
        }
        break;
      case sql::NamedEffect::execute:
      case sql::NamedEffect::none:
        break;
    }
    switch (statement.cursor) {
      case sql::CursorEffect::declare:
        kept = kept &&
               names_.define(statement.cursor_name,
                             Cursor{.sql = std::string(text),
                                    .as = std::string(sent),
                                    .analysis = inner(statement),
                                    .hold = statement.cursor_hold,
                                    .meant_at = meaning(),
                                    .held = Held(held_bytes_, text.size() + sent.size() + 512)});
        break;
      case sql::CursorEffect::close:
        if (statement.cursor_name.empty()) {
          names_.forget_all_cursors();
        } else {
          names_.forget_cursor(statement.cursor_name);
        }
        break;
      case sql::CursorEffect::fetch:
      case sql::CursorEffect::move:
      case sql::CursorEffect::none:
        break;
    }
    if (!kept) end("protocol", "54000", "too many prepared statements or cursors");
    if (held_bytes_ > options_.session_bytes_max) {
      end("protocol", "53200", "this session holds more statements and cursors than it may");
    }
    for (const sql::SettingChange& setting : statement.settings) set_path(setting);
    if (statement.transaction == sql::TransactionEffect::rollback_to &&
        (path_.before_transaction || path_.local)) {
      // What was set after the savepoint is undone, and the gateway does not keep what was before.
      path_.session.reset();
      path_.local.reset();
    }
  }
  path_changed();
}

/// Names may mean something else from now on, and after the transaction that this is in.
void Conversation::definitions_changed(const sql::Analysis& analysis) {
  for (const sql::Statement& one : analysis.statements) {
    for (const sql::RelationUse& relation : one.relations) {
      const bool made = relation.use == sql::Use::create && relation.temporary;
      if (made && temporary_.size() < temporary_max) temporary_.insert(relation.name.name);
    }
  }
  const bool changes = std::ranges::any_of(analysis.statements, [](const sql::Statement& one) {
    return one.kind == "do" || one.kind == "call" || !one.objects.empty() ||
           std::ranges::any_of(one.relations, [](const sql::RelationUse& relation) {
             return !relation.temporary &&
                    (relation.use == sql::Use::create || relation.use == sql::Use::alter ||
                     relation.use == sql::Use::drop || relation.use == sql::Use::trigger);
           });
  });
  if (!changes) return;
  definitions_change_ = true;
  catalogs_.changed(session_.connection, session_.database);
}

void Conversation::set_path(const sql::SettingChange& setting) {
  const bool all = setting.name == "all" && setting.reset;
  if (setting.name != "search_path" && !all) return;
  SearchPath::Schemas schemas;
  if (setting.reset) {
    schemas = path_.initial;
  } else if (setting.value) {
    schemas = parse_search_path(*setting.value);
  }
  if (!path_.before_transaction) path_.before_transaction = path_.session;
  if (setting.local) {
    path_.local = std::move(schemas);
  } else {
    path_.session = std::move(schemas);
    path_.local.reset();
  }
}

void Conversation::path_changed() {
  static const std::vector<std::string> nothing;
  const std::vector<std::string>& current = path_.current() ? *path_.current() : nothing;
  if (place_.search_path == current) return;
  place_.search_path = current;
  ++place_version_;
}

bool Conversation::steers(const sql::Analysis& analysis) const {
  return std::ranges::any_of(analysis.statements, [&](const sql::Statement& statement) {
    return !statement.settings.empty() || statement.kind.starts_with("discard") ||
           statement.prepared == sql::NamedEffect::define ||
           statement.prepared == sql::NamedEffect::deallocate ||
           statement.cursor == sql::CursorEffect::declare ||
           statement.cursor == sql::CursorEffect::close ||
           (statement.transaction != sql::TransactionEffect::none &&
            (path_.before_transaction || path_.local));
  });
}

void Conversation::transaction_ended() {
  names_.transaction_ended();
  path_.local.reset();
  if (path_.before_transaction && last_tag_ == "ROLLBACK") {
    path_.session = *std::move(path_.before_transaction);
  }
  path_.before_transaction.reset();
  path_changed();
}

}  // namespace sallyport::postgres
