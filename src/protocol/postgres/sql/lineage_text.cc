// A Lineage as text, for people and for tables of tests.

#include "protocol/postgres/sql/lineage.h"

namespace sallyport::postgres::sql {

std::string to_string(Roles roles) {
  std::string out;
  for (int i = 0; i <= static_cast<int>(ColumnRole::other); ++i) {
    const auto role = static_cast<ColumnRole>(i);
    if (!roles.has(role)) continue;
    if (!out.empty()) out += '+';
    out += to_string(role);
  }
  return out;
}

namespace {

std::string name_of(const Catalog& catalog, ColumnId id) {
  const catalog::Relation* const relation = catalog.relation(id.relation);
  if (relation == nullptr) return "?" + std::to_string(id.relation);
  std::string name(relation->name);
  if (catalog.schema_name(relation->schema) != "public") name = catalog.name_of(*relation);
  if (id.number == 0) return name + ".*";
  const catalog::Column* const column = relation->column(id.number);
  return name + "." + (column != nullptr ? std::string(column->name) : std::to_string(id.number));
}

std::string text_of(const Catalog& catalog, const Sources& sources) {
  std::string out;
  for (const ColumnId& id : sources) out += (out.empty() ? "" : " ") + name_of(catalog, id);
  return out;
}

}  // namespace

std::string to_string(const Lineage& lineage, const Catalog& catalog) {
  std::string out;
  const auto line = [&](std::string text) { out += (out.empty() ? "" : "\n") + text; };
  for (const auto& [oid, reach] : lineage.reached) {
    std::string name = name_of(catalog, {oid, 0});
    name.resize(name.size() - 2);
    std::string text = name + ":";
    for (const auto& [number, roles] : reach.columns) {
      const std::string column = name_of(catalog, {oid, number});
      text += " " + column.substr(column.rfind('.') + 1) + "=" + to_string(roles);
    }
    if (reach.by_view) text += " (view)";
    if (reach.by_function) text += " (function)";
    if (!reach.by_text && !reach.by_view && !reach.by_function) text += " (?)";
    line(std::move(text));
  }
  for (const OutputColumn& output : lineage.outputs) {
    line("-> " + output.name + (output.plain ? "! " : " ") + "[" +
         text_of(catalog, output.sources) + "]");
  }
  if (lineage.open) line("-> ... [" + text_of(catalog, lineage.open_sources) + "]");
  for (const Assignment& one : lineage.assignments) {
    if (one.sources.empty()) continue;
    line("<- " + name_of(catalog, one.target) + " [" + text_of(catalog, one.sources) + "]");
  }
  if (!lineage.functions.empty()) {
    std::string text = "calls";
    for (const Oid oid : lineage.functions) {
      const catalog::Function* const function = catalog.function(oid);
      text += " " + (function != nullptr ? std::string(function->name) : std::to_string(oid));
    }
    line(std::move(text));
  }
  for (const std::string& why : lineage.cannot_tell) line("cannot tell: " + why);
  if (lineage.unknown_name) line("unknown name");
  return out;
}

}  // namespace sallyport::postgres::sql
