#include "protocol/postgres/sql/mentions.h"

#include "protocol/postgres/sql/mask_sql.h"
#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {
namespace {

class Collector {
 public:
  explicit Collector(Mentions& out) : out_(out) {}

  void value(Value value) {
    if (Array items; value.get(items) == simdjson::SUCCESS) {
      for (Value item : items) this->value(item);
      return;
    }
    Object fields;
    if (value.get(fields) != simdjson::SUCCESS) return;
    for (const auto& [key, inner] : fields) {
      Object part;
      if (inner.get(part) == simdjson::SUCCESS) {
        if (const auto names = array(part, "names"); names && object(fields, key)) type(*names);
        node(key, part);
      }
      this->value(inner);
    }
  }

 private:
  void node(std::string_view kind, Object fields) {
    if (kind == "ColumnRef") return column(fields);
    if (kind == "FuncCall") return call(fields);
    if (kind == "A_Indirection") return indirection(fields);
    if (kind == "JoinExpr") return join(fields);
    if (kind == "CopyStmt") return copy(fields);
    if (kind == "onConflictClause") return conflict(fields);
    if (kind == "A_Expr" || kind == "SubLink" || kind == "SortBy") operator_(fields);
    if (kind == "VariableShowStmt" &&
        lower(text(fields, "name")).starts_with(gateway_setting_prefix)) {
      out_.reads_gateway_setting = true;
    }
    if (kind == "IndexElem") out_.names.emplace(text(fields, "name"));
    if (kind == "ReturningOption") out_.row_names.emplace(text(fields, "value"));
  }

  void type(Array names) {
    if (names.size() == 0) return;
    if (const auto last = string_of(names.at(names.size() - 1))) out_.types.emplace(*last);
  }

  void column(Object fields) {
    Mentions::Column column{.location = static_cast<std::size_t>(number(fields, "location"))};
    const auto parts = array(fields, "fields");
    if (!parts) return;
    for (Value item : *parts) {
      const auto part = sql::node(item);
      column.parts.emplace_back(part && part->kind == "String" ? text(part->fields, "sval") : "*");
    }
    if (column.parts.empty()) return;
    if (column.parts.back() == "*") {
      out_.all = true;
    } else if (column.parts.size() != 2 || column.parts.front() != "excluded") {
      // What a statement itself proposes to insert it knows already.
      name(column.parts.back());
    }
    if (column.parts.size() == 1) out_.bare.insert(column.parts.front());
    out_.columns.push_back(std::move(column));
  }

  void operator_(Object fields) {
    for (const std::string_view list : {"name", "operName", "useOp"}) {
      if (const auto parts = array(fields, list)) out_.operators.insert(name_of(*parts).name);
    }
  }

  void name(std::string_view name) {
    out_.names.emplace(name);
    if (name == "current_setting") out_.reads_gateway_setting = true;
  }

  void call(Object fields) {
    const auto parts = array(fields, "funcname");
    if (!parts) return;
    const Name called = name_of(*parts);
    out_.names.insert(called.name);
    out_.called.insert(called.name);
    if (called.name != "current_setting") return;
    const auto args = array(fields, "args");
    if (args && args->size() > 0 && is_parameter(args->at(0))) {
      out_.reads_setting_of_parameter = true;
      return;
    }
    const auto constant = args && args->size() > 0 ? string_of(args->at(0)) : std::nullopt;
    if (!constant || lower(*constant).starts_with(gateway_setting_prefix)) {
      out_.reads_gateway_setting = true;
    }
  }

  /// $1, or $1 as a text type.
  static bool is_parameter(Value value, int depth = 0) {
    const auto found = sql::node(value);
    if (!found || depth > 2) return false;
    if (found->kind == "ParamRef") return true;
    const auto inner = found->kind == "TypeCast" ? field(found->fields, "arg") : std::nullopt;
    return inner && is_parameter(*inner, depth + 1);
  }

  void indirection(Object fields) {
    const auto steps = array(fields, "indirection");
    if (!steps) return;
    for (Value item : *steps) {
      const auto step = sql::node(item);
      if (step && step->kind == "String") name(text(step->fields, "sval"));
      if (step && step->kind == "A_Star") out_.all = true;
    }
  }

  void join(Object fields) {
    if (flag(fields, "isNatural")) out_.all = true;
    const auto columns = array(fields, "usingClause");
    if (!columns) return;
    for (Value item : *columns) {
      out_.names.emplace(string_of(item).value_or(""));
    }
  }

  void copy(Object fields) {
    const auto relation = object(fields, "relation");
    if (!relation) return;
    out_.copy_location = static_cast<std::size_t>(number(*relation, "location"));
    const auto columns = array(fields, "attlist");
    if (!columns) return;
    for (Value item : *columns) {
      out_.copy_columns.emplace_back(string_of(item).value_or(""));
    }
  }

  void conflict(Object fields) {
    const auto infer = object(fields, "infer");
    if (!infer || !array(*infer, "indexElems")) out_.conflict_on_any = true;
  }

  Mentions& out_;
};

}  // namespace

Mentions mentions_of(Value tree) {
  Mentions out;
  out.row_names = {"old", "new", "excluded"};
  Collector(out).value(tree);
  return out;
}

}  // namespace sallyport::postgres::sql
