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
    if (kind == "ParamRef") ++out_.parameters[static_cast<int>(number(fields, "number"))];
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
    if (const int parameter = args && args->size() > 0 ? parameter_of(args->at(0)) : 0) {
      out_.setting_parameters.insert(parameter);
      return;
    }
    const auto constant = args && args->size() > 0 ? string_of(args->at(0)) : std::nullopt;
    if (!constant || lower(*constant).starts_with(gateway_setting_prefix)) {
      out_.reads_gateway_setting = true;
    }
  }

  /// 1 of $1, or of $1::text: any other type could make another text of what is bound. Or 0.
  static int parameter_of(Value value) {
    auto found = sql::node(value);
    if (found && found->kind == "TypeCast") {
      const auto type = object(found->fields, "typeName");
      const auto names = type ? array(*type, "names") : std::nullopt;
      const bool is_text = names && !array(*type, "arrayBounds") && [&] {
        const Name name = name_of(*names);
        return (name.schema.empty() || name.schema == "pg_catalog") &&
               (name.name == "text" || name.name == "varchar");
      }();
      const auto inner = is_text ? field(found->fields, "arg") : std::nullopt;
      found = inner ? sql::node(*inner) : std::nullopt;
    }
    if (!found || found->kind != "ParamRef") return 0;
    return static_cast<int>(number(found->fields, "number"));
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
  for (const int parameter : out.setting_parameters) {
    // Its type would come from the other place.
    if (out.parameters[parameter] > 1) out.reads_gateway_setting = true;
  }
  return out;
}

}  // namespace sallyport::postgres::sql
