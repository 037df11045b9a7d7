// Analyses as text, for people and for tests.

#include <array>

#include "protocol/postgres/sql/analysis.h"

namespace sallyport::postgres::sql {

namespace {

template <std::size_t N>
std::string_view word(const std::array<std::string_view, N>& words, auto value) {
  const auto index = static_cast<std::size_t>(value);
  return index < N ? words[index] : "?";
}

/// Facts of one kind under one heading: " | filter a b".
class Line {
 public:
  explicit Line(std::string& out) : out_(out) {}
  void add(std::string_view heading, std::string_view item) {
    if (heading != heading_) {
      out_ += " | ";
      out_ += heading;
      heading_ = heading;
    }
    if (item.empty()) return;
    out_ += ' ';
    out_ += item;
  }

 private:
  std::string& out_;
  std::string heading_;
};

std::string text_of(const RelationUse& use) {
  std::string text = use.name.to_string();
  if (use.alias != use.name.name && !use.alias.empty()) text += "=" + use.alias;
  if (use.temporary) text += "(temporary)";
  return text;
}

std::string text_of(const ColumnUse& use) {
  std::string text = use.qualifier.empty() ? use.column : use.qualifier + "." + use.column;
  if (use.relation >= 0) text += "#" + std::to_string(use.relation);
  if (use.whole_row) text += "(row)";
  return text;
}

std::string text_of(const RoutineUse& use) {
  std::string text = use.name.to_string();
  if (use.routine_class != RoutineClass::pure) {
    text += ":" + std::string(to_string(use.routine_class));
  }
  if (use.since > 0) text += "@" + std::to_string(use.since);
  return text;
}

std::string text_of(const SettingChange& change) {
  std::string text = change.name;
  if (change.reset) {
    text += "(reset)";
  } else {
    text += change.value ? "=<" + *change.value + ">" : "=?";
  }
  if (change.local) text += "(local)";
  return text;
}

std::string flags_of(const Statement& statement) {
  std::string text = statement.kind;
  const auto flag = [&text](bool set, std::string_view name) {
    if (set) text += " " + std::string(name);
  };
  flag(statement.read_only, "read_only");
  flag(statement.has_where, "where");
  flag(statement.dynamic_sql, "dynamic");
  flag(statement.explain_analyze, "analyze");
  if (statement.transaction_read_only) {
    text += *statement.transaction_read_only ? " tx_read_only" : " tx_read_write";
  }
  if (statement.prepared != NamedEffect::none) {
    text += " " + std::string(to_string(statement.prepared)) + "(" + statement.prepared_name + ")";
  }
  if (statement.cursor != CursorEffect::none) {
    text += " " + std::string(to_string(statement.cursor)) + "(" + statement.cursor_name +
            (statement.cursor_hold ? " hold)" : ")");
  }
  if (statement.copy != CopyEnd::none) {
    text += " " + std::string(to_string(statement.copy)) + "(" + statement.copy_format + ")";
  }
  return text;
}

std::string text_of(const Statement& statement) {
  if (!statement.understood) return "not understood: " + statement.why_not;
  std::string text = flags_of(statement);
  Line line(text);
  for (const auto& use : statement.relations) line.add(to_string(use.use), text_of(use));
  for (const auto& use : statement.objects) {
    line.add(std::string(to_string(use.use)) + " " + use.kind, use.name.to_string());
  }
  for (const auto& use : statement.columns) line.add(to_string(use.role), text_of(use));
  for (const auto& use : statement.routines) line.add("calls", text_of(use));
  for (const auto& change : statement.settings) line.add("sets", text_of(change));
  for (const auto& role : statement.roles) line.add("roles", role);
  for (const auto& nested : statement.nested) text += " {" + text_of(nested) + "}";
  return text;
}

}  // namespace

std::string Name::to_string() const {
  std::string text;
  for (const std::string_view part : {std::string_view(catalog), std::string_view(schema)}) {
    if (part.empty() && text.empty()) continue;
    text += part;
    text += '.';
  }
  return text + name;
}

std::string_view to_string(Use use) {
  static constexpr std::array<std::string_view, 12> words = {
      "select", "insert", "update", "delete", "truncate", "lock",
      "create", "alter",  "drop",   "grant",  "maintain", "trigger"};
  return word(words, use);
}

std::string_view to_string(ColumnRole role) {
  static constexpr std::array<std::string_view, 8> words = {
      "output", "filter", "join", "group", "order", "assign", "returning", "other"};
  return word(words, role);
}

std::string_view to_string(RoutineClass routine_class) {
  static constexpr std::array<std::string_view, 10> words = {
      "pure",   "session", "catalog",  "reads_data", "dynamic_sql",
      "writes", "admin",   "settings", "internal",   "unknown"};
  return word(words, routine_class);
}

std::string_view to_string(TransactionEffect effect) {
  static constexpr std::array<std::string_view, 10> words = {
      "none",    "begin",       "commit",  "rollback",        "savepoint",
      "release", "rollback_to", "prepare", "commit_prepared", "rollback_prepared"};
  return word(words, effect);
}

std::string_view to_string(NamedEffect effect) {
  static constexpr std::array<std::string_view, 4> words = {"none", "define", "execute",
                                                            "deallocate"};
  return word(words, effect);
}

std::string_view to_string(CursorEffect effect) {
  static constexpr std::array<std::string_view, 5> words = {"none", "declare", "fetch", "move",
                                                            "close"};
  return word(words, effect);
}

std::string_view to_string(CopyEnd end) {
  static constexpr std::array<std::string_view, 4> words = {"none", "client", "file", "program"};
  return word(words, end);
}

std::string to_string(const Analysis& analysis) {
  if (!analysis.understood) return "not understood: " + analysis.why_not;
  std::string text;
  for (const auto& statement : analysis.statements) {
    if (!text.empty()) text += '\n';
    text += text_of(statement);
  }
  if (analysis.depends_on_literals) text += "\ndepends on literals";
  return text;
}

}  // namespace sallyport::postgres::sql
