#include "protocol/postgres/classified.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "base/log.h"
#include "core/resource_id.h"
#include "protocol/postgres/sql/lineage.h"

namespace sallyport::postgres {
namespace {

using catalog::Catalog;
using catalog::Oid;
using catalog::Relation;
using catalog::RelationKind;

std::string_view last_part(std::string_view pattern) {
  const std::size_t dot = pattern.rfind('.');
  return dot == std::string_view::npos ? pattern : pattern.substr(dot + 1);
}

Classified::Column& column_of(Classified::Of& of, std::int16_t number) {
  const auto place = std::ranges::lower_bound(of.columns, number, {}, &Classified::Column::number);
  if (place != of.columns.end() && place->number == number) return *place;
  return *of.columns.insert(place, {.number = number, .sources = {}});
}

void add(std::vector<Classified::Source>& to, const std::vector<Classified::Source>& more) {
  for (const Classified::Source& source : more) {
    const bool known = std::ranges::any_of(
        to, [&](const Classified::Source& one) { return one.column == source.column; });
    if (!known) to.push_back(source);
  }
}

bool holds_rows(const Relation& relation) {
  return relation.oid >= catalog::first_normal_oid && relation.kind != RelationKind::composite &&
         relation.kind != RelationKind::sequence && relation.kind != RelationKind::toast;
}

}  // namespace

std::shared_ptr<const Classified> Classified::make(sql::Parser& parser,
                                                   std::shared_ptr<const Catalog> catalog,
                                                   const policy::ConnectionFacts& facts,
                                                   const Classified* before) {
  std::shared_ptr<Classified> made(new Classified());
  made->catalog_ = std::move(catalog);
  for (const auto& [classification, name] : facts.masks) {
    made->masks_[classification] = mask::kind_of(name).value_or(mask::Kind::null);
  }
  made->match(facts);
  if (before != nullptr) made->keep_renamed(*before);
  made->inherit(parser);
  made->inherit_filters();
  return made;
}

const Classified::Of* Classified::of(Oid relation) const {
  const auto found = all_.find(relation);
  return found == all_.end() ? nullptr : &found->second;
}

namespace {

/// What a pattern names would be called: its last `count` parts, in this database. Empty: in
/// another.
std::vector<std::string_view> as_called(std::string_view pattern, std::string_view database,
                                        std::size_t count) {
  std::vector<std::string_view> parts;
  for (std::size_t dot = pattern.find('.'); dot != std::string_view::npos;
       dot = pattern.find('.')) {
    parts.push_back(pattern.substr(0, dot));
    pattern.remove_prefix(dot + 1);
  }
  parts.push_back(pattern);
  while (parts.size() < count) parts.insert(parts.begin(), "*");
  if (parts.size() > count) {
    if (parts.front() != "*" && parts.front() != database) return {};
    parts.erase(parts.begin());
  }
  return parts;
}

}  // namespace

/// By name.
void Classified::match(const policy::ConnectionFacts& facts) {
  // Rules by the column that they name, for a database may have millions of columns.
  std::unordered_map<std::string_view, std::vector<const policy::ClassificationRule*>> by_column;
  for (const policy::ClassificationRule& rule : facts.classification) {
    by_column[last_part(rule.pattern)].push_back(&rule);
  }
  std::vector<const policy::ClassificationRule*> matched;
  std::set<const policy::RowFilterRule*> filtering;
  const auto id = [&](std::initializer_list<std::string_view> parts) { return resource_id(parts); };
  for (const Relation& relation : catalog_->relations()) {
    if (!holds_rows(relation)) continue;
    const std::string_view schema = catalog_->schema_name(relation.schema);
    for (const catalog::Column& column : relation.columns) {
      const std::array names{std::string_view(catalog_->database()), schema, relation.name,
                             column.name};
      std::vector<std::string> classifications;
      for (const std::string_view key : {column.name, std::string_view("*")}) {
        const auto found = by_column.find(key);
        if (found == by_column.end()) continue;
        for (const policy::ClassificationRule* const rule : found->second) {
          if (!policy::matches_path(rule->pattern, names)) continue;
          if (std::ranges::find(matched, rule) == matched.end()) matched.push_back(rule);
          if (std::ranges::find(classifications, rule->classification) == classifications.end()) {
            classifications.push_back(rule->classification);
          }
        }
      }
      if (classifications.empty()) continue;
      column_of(all_[relation.oid], column.number).sources = {
          {.column = {"Column",
                      id({facts.name, catalog_->database(), schema, relation.name, column.name})},
           .classifications = std::move(classifications)}};
    }
    for (const policy::RowFilterRule& rule : facts.row_filters) {
      const std::array names{std::string_view(catalog_->database()), schema, relation.name};
      if (!policy::matches_path(rule.table, names)) continue;
      filtering.insert(&rule);
      all_[relation.oid].filters.push_back(
          {.resource = {"RowFilter",
                        id({facts.name, catalog_->database(), schema, relation.name, rule.name})},
           .condition = rule.condition});
    }
  }
  for (const policy::ClassificationRule& rule : facts.classification) {
    if (std::ranges::find(matched, &rule) != matched.end()) continue;
    log::warn("a classification matches no column", {{"connection", facts.name},
                                                     {"database", catalog_->database()},
                                                     {"pattern", rule.pattern}});
    const auto parts = as_called(rule.pattern, catalog_->database(), 3);
    if (parts.empty()) continue;
    unmatched_.push_back(
        {"Column", id({facts.name, catalog_->database(), parts[0], parts[1], parts[2]})});
  }
  for (const policy::RowFilterRule& rule : facts.row_filters) {
    if (filtering.contains(&rule)) continue;
    const auto parts = as_called(rule.table, catalog_->database(), 2);
    if (parts.empty()) continue;
    unmatched_filters_.push_back(
        {"RowFilter", id({facts.name, catalog_->database(), parts[0], parts[1], rule.name})});
  }
}

/// What went by another name when it was classified is still the same data.
void Classified::keep_renamed(const Classified& before) {
  if (before.catalog_->database_oid() != catalog_->database_oid()) return;
  for (const auto& [oid, of] : before.all_) {
    const Relation* const was = before.catalog_->relation(oid);
    const Relation* const is = catalog_->relation(oid);
    if (was == nullptr || is == nullptr) continue;
    for (const Column& column : of.columns) {
      const catalog::Column* const old_column = was->column(column.number);
      const catalog::Column* const new_column = is->column(column.number);
      if (old_column == nullptr || new_column == nullptr) continue;
      const bool same =
          was->name == is->name && old_column->name == new_column->name &&
          before.catalog_->schema_name(was->schema) == catalog_->schema_name(is->schema);
      if (same) continue;
      Column& kept = column_of(all_[oid], column.number);
      if (kept.sources.empty()) {
        log::warn(
            "a classified column was renamed and keeps its classification until the gateway "
            "restarts; classify its new name",
            {{"database", catalog_->database()},
             {"was", before.catalog_->name_of(*was) + "." + std::string(old_column->name)},
             {"is", catalog_->name_of(*is) + "." + std::string(new_column->name)}});
      }
      add(kept.sources, column.sources);
    }
    const bool moved = was->name != is->name || before.catalog_->schema_name(was->schema) !=
                                                    catalog_->schema_name(is->schema);
    if (moved && !of.filters.empty() && all_[oid].filters.empty()) all_[oid].filters = of.filters;
  }
}

/// By what it is made of.
void Classified::inherit(sql::Parser& parser) {
  sql::Tracer tracer(parser, catalog_);
  const std::map<Oid, Of> own = all_;
  for (const Relation& relation : catalog_->relations()) {
    if (!holds_rows(relation) || relation.kind == RelationKind::view) continue;
    const bool made = relation.kind == RelationKind::materialized_view;
    const bool related =
        !catalog_->ancestors(relation.oid).empty() || !catalog_->descendants(relation.oid).empty();
    for (const catalog::Column& column : relation.columns) {
      if (!made && !related && column.generated == 0) continue;
      const auto sources = tracer.sources_of({relation.oid, column.number});
      if (!sources) {
        all_[relation.oid].unclear =
            "what the column " + std::string(column.name) + " is made of cannot be followed";
        continue;
      }
      for (const sql::ColumnId& source : *sources) {
        const auto found = own.find(source.relation);
        if (found == own.end()) continue;
        const auto of = std::ranges::find(found->second.columns, source.number, &Column::number);
        if (of == found->second.columns.end()) continue;
        add(column_of(all_[relation.oid], column.number).sources, of->sources);
      }
    }
  }
}

/// A partition's rows are its parent's.
void Classified::inherit_filters() {
  const std::map<Oid, Of> own = all_;
  for (const auto& [oid, of] : own) {
    if (of.filters.empty()) continue;
    for (const Relation* const child : catalog_->descendants(oid)) {
      auto& filters = all_[child->oid].filters;
      filters.insert(filters.end(), of.filters.begin(), of.filters.end());
    }
    for (const Relation* const parent : catalog_->ancestors(oid)) {
      const auto found = own.find(parent->oid);
      if (found == own.end() || found->second.filters.empty()) {
        all_[parent->oid].unclear = "a part of it has a row filter of its own";
      }
    }
  }
}

}  // namespace sallyport::postgres
