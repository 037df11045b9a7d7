#include "protocol/postgres/sql/group_by.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "protocol/postgres/sql/mask_sql.h"

namespace sallyport::postgres::sql {
namespace {

using catalog::Column;
using catalog::Oid;

/// They cannot be compared, so nothing is grouped by them.
bool can_be_grouped(Oid type) {
  // json, xml, point, lseg, path, box, polygon, line, circle
  static constexpr std::array<Oid, 9> types = {114, 142, 600, 601, 602, 603, 604, 628, 718};
  return std::ranges::find(types, type) == types.end();
}

class Finder {
 public:
  Finder(const std::map<std::size_t, Replaced>& replaced, const Mentions& mentions,
         std::vector<GroupedBy>& out)
      : replaced_(replaced), mentions_(mentions), out_(out) {}

  void value(Value value) {
    if (Array items; value.get(items) == simdjson::SUCCESS) {
      for (Value item : items) this->value(item);
      return;
    }
    Object fields;
    if (value.get(fields) != simdjson::SUCCESS) return;
    for (const auto& [key, inner] : fields) {
      Object part;
      if (key == "SelectStmt" && inner.get(part) == simdjson::SUCCESS) select(part);
      this->value(inner);
    }
  }

 private:
  struct Grouped {
    std::vector<std::string> parts;
    std::size_t location = 0;
  };

  void select(Object fields) {
    const auto group = array(fields, "groupClause");
    const auto from = array(fields, "fromClause");
    if (!group || !from) return;
    std::vector<Grouped> grouped;
    for (Value item : *group) {
      const auto column = node(item);
      if (!column || column->kind != "ColumnRef") continue;
      Grouped one{.parts = {},
                  .location = static_cast<std::size_t>(number(column->fields, "location"))};
      for (Value part : items(column->fields, "fields")) {
        one.parts.emplace_back(string_of(part).value_or("*"));
      }
      grouped.push_back(std::move(one));
    }
    std::vector<Replaced> here;
    std::size_t relations = 0;
    for (Value item : *from) from_item(item, here, relations);
    for (const Replaced& one : here) complete(one, grouped, relations == 1);
  }

  void from_item(Value item, std::vector<Replaced>& here, std::size_t& relations) {
    const auto found = node(item);
    if (!found) return;
    if (found->kind == "JoinExpr") {
      if (const auto left = field(found->fields, "larg")) from_item(*left, here, relations);
      if (const auto right = field(found->fields, "rarg")) from_item(*right, here, relations);
      return;
    }
    ++relations;
    if (found->kind != "RangeVar") return;
    const auto known = replaced_.find(static_cast<std::size_t>(number(found->fields, "location")));
    if (known != replaced_.end()) here.push_back(known->second);
  }

  void complete(const Replaced& one, const std::vector<Grouped>& grouped, bool alone) {
    const auto names = [&](const std::vector<std::string>& parts, std::string_view column) {
      if (parts.empty() || parts.back() != column) return false;
      return parts.size() == 1 ? alone : parts[parts.size() - 2] == one.called;
    };
    std::optional<std::size_t> place;
    for (const Column& column : one.relation->columns) {
      if (!column.in_primary_key) continue;
      const auto found = std::ranges::find_if(
          grouped, [&](const Grouped& g) { return names(g.parts, column.name); });
      if (found == grouped.end()) return;
      place = found->location;
    }
    if (!place) return;  // it has no primary key
    GroupedBy add{.location = *place, .columns = {}};
    for (const Column& column : one.relation->columns) {
      const bool there = std::ranges::any_of(
          grouped, [&](const Grouped& g) { return names(g.parts, column.name); });
      const bool wanted =
          std::ranges::any_of(mentions_.columns, [&](const Mentions::Column& mentioned) {
            const auto& parts = mentioned.parts;
            return parts.back() == column.name &&
                   (parts.size() == 1 || parts[parts.size() - 2] == one.called);
          });
      if (there || !wanted || !can_be_grouped(column.type)) continue;
      add.columns.push_back(quoted_name(one.called) + "." + quoted_name(column.name));
    }
    if (!add.columns.empty()) out_.push_back(std::move(add));
  }

  const std::map<std::size_t, Replaced>& replaced_;
  const Mentions& mentions_;
  std::vector<GroupedBy>& out_;
};

}  // namespace

std::vector<GroupedBy> ungrouped(Value tree, const std::map<std::size_t, Replaced>& replaced,
                                 const Mentions& mentions) {
  std::vector<GroupedBy> out;
  Finder(replaced, mentions, out).value(tree);
  return out;
}

}  // namespace sallyport::postgres::sql
