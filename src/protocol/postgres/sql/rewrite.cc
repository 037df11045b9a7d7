#include "protocol/postgres/sql/rewrite.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "protocol/postgres/sql/analysis.h"
#include "protocol/postgres/sql/canonical.h"
#include "protocol/postgres/sql/group_by.h"
#include "protocol/postgres/sql/guarded.h"
#include "protocol/postgres/sql/mask_sql.h"
#include "protocol/postgres/sql/mentions.h"
#include "protocol/postgres/sql/tokens.h"
#include "protocol/postgres/sql/trace.h"
#include "protocol/postgres/sql/unseen.h"

namespace sallyport::postgres::sql {
namespace {

using catalog::Catalog;
using catalog::Column;
using catalog::Oid;
using catalog::Relation;
using catalog::RelationKind;
using catalog::SearchPath;

constexpr int view_depth_max = 32;
constexpr std::size_t rewritten_bytes_max = std::size_t{4} << 20;
constexpr std::array<std::string_view, 6> system_columns = {"ctid", "xmin", "xmax",
                                                            "cmin", "cmax", "tableoid"};

struct Edit {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;
};

std::string apply(std::string_view sql, std::vector<Edit> edits) {
  // What is put in goes before what is taken out at the same place.
  std::ranges::sort(edits, {}, [](const Edit& edit) { return std::pair(edit.begin, edit.end); });
  std::string out;
  std::size_t at = 0;
  for (const Edit& edit : edits) {
    out += sql.substr(at, edit.begin - at);
    out += edit.text;
    at = edit.end;
  }
  out += sql.substr(at);
  return out;
}

/// The one thing in FROM of the one statement of the text.
std::optional<Object> only_from_item(Value root) {
  Object top;
  if (root.get(top) != simdjson::SUCCESS) return std::nullopt;
  const auto statements = array(top, "stmts");
  if (!statements || statements->size() != 1) return std::nullopt;
  Object raw;
  if (statements->at(0).get(raw) != simdjson::SUCCESS) return std::nullopt;
  const auto statement = node(raw, "stmt");
  const auto from = statement ? array(statement->fields, "fromClause") : std::nullopt;
  if (!from || from->size() != 1) return std::nullopt;
  const auto item = node(from->at(0));
  return item && item->kind == "RangeSubselect" ? std::optional(item->fields) : std::nullopt;
}

/// The columns of "SELECT a.b, c.d", each with a comma behind it.
bool columns_of_select(Value root, std::string& out) {
  Object top;
  Object raw;
  if (root.get(top) != simdjson::SUCCESS) return false;
  const auto statements = array(top, "stmts");
  if (!statements || statements->size() != 1 || statements->at(0).get(raw) != simdjson::SUCCESS) {
    return false;
  }
  const auto statement = node(raw, "stmt");
  const auto list = statement ? array(statement->fields, "targetList") : std::nullopt;
  if (!list) return false;
  for (Value item : *list) {
    const auto target = node(item);
    const auto value = target ? field(target->fields, "val") : std::nullopt;
    if (!value) return false;
    out += canonical(*value) + ',';
  }
  return true;
}

/// Views that were looked into, and what is reached, in all texts of one rewriting.
struct Shared {
  Parser& parser;
  const Catalog& catalog;
  const Protections& protections;
  std::map<Oid, Rewriting> views;
  std::set<ColumnOrigin> masked;
  std::set<Oid> filtered;
  int depth = 0;
  const std::set<std::string, std::less<>>* temporary = nullptr;
  std::unique_ptr<Unseen> unseen;
};

class Rewriter {
 public:
  Rewriter(Shared& shared, std::string_view sql, const SearchPath& path, bool definition)
      : shared_(shared), sql_(sql), path_(path), definition_(definition) {}

  Result<Rewriting> run() {
    auto analysis = analyse(shared_.parser, sql_, &sites_);
    if (!analysis) return fail(analysis);
    out_.sql = sql_;
    if (!analysis->understood) {
      refuse(analysis->why_not);
      return std::move(out_);
    }
    auto mentions = read_mentions();
    if (!mentions) return fail(mentions);
    mentions_ = std::move(*mentions);
    out_.depends_on_constants = mentions_.called.contains("current_setting");
    out_.setting_parameters = mentions_.setting_parameters;

    Guarded guarded{.catalog = shared_.catalog,
                    .path = path_,
                    .mentions = mentions_,
                    .definition = definition_,
                    .temporary = definition_ ? nullptr : shared_.temporary,
                    .reach = [&](const Relation& relation) { return reach(relation); },
                    .unseen = unseen()};
    for (const FromSite& site : sites_) {
      if (auto replaced = replace(site); !replaced) return fail(replaced);
      if (!out_.refused.empty()) return std::move(out_);
    }
    guarded.replaced_names = masked_names_;
    guarded.replaced_rows = replaced_rows_;
    guarded.replaced = !edits_.empty();
    guarded.hidden_names = hidden_names_;
    for (const Statement& statement : analysis->statements) {
      if (auto why = guarded.why_not(statement); !why.text.empty()) {
        out_.unknown_name = why.unknown_name;
        refuse(std::move(why.text), std::move(why.hint));
        return std::move(out_);
      }
      if (statement.kind == "copy_to" && !statement.relations.empty()) {
        if (auto copied = copy(statement.relations.front()); !copied) return fail(copied);
      }
    }
    if (!out_.refused.empty()) return std::move(out_);
    return finish();
  }

 private:
  /// One for all texts of a rewriting, so that a function is read once.
  Unseen& unseen() {
    if (shared_.unseen == nullptr) {
      Shared& shared = shared_;
      shared.unseen = std::make_unique<Unseen>(
          shared.catalog,
          [&shared](std::string_view sql, const SearchPath& path) -> Result<Rewriting> {
            if (++shared.depth > view_depth_max) {
              return fail(Errc::too_large, "definitions are nested too deeply");
            }
            auto inner = Rewriter(shared, sql, path, true).run();
            --shared.depth;
            return inner;
          },
          [&shared](const Relation& relation) {
            return Rewriter(shared, "", {}, true).reach(relation);
          });
    }
    return *shared_.unseen;
  }

  void refuse(std::string why, std::string hint = "") {
    out_.refused = std::move(why);
    out_.hint = std::move(hint);
  }

  Result<Mentions> read_mentions() {
    auto parsed = shared_.parser.parse(sql_);
    if (!parsed) return fail(parsed);
    auto root = read_tree(parsed->tree);
    if (!root) return fail(root);
    return mentions_of(*root);
  }

  /// What is behind a relation: protected itself, or a view of something that is.
  struct Behind {
    const Protection* protection = nullptr;
    const Rewriting* view = nullptr;  // of a view that has to be looked through

    bool empty() const { return protection == nullptr && view == nullptr; }
  };

  Result<Behind> behind(const Relation& relation) {
    Behind found{.protection = shared_.protections(relation)};
    if (found.protection != nullptr && found.protection->empty()) found.protection = nullptr;
    if (found.protection != nullptr) {
      for (const MaskedColumn& column : found.protection->masked) {
        shared_.masked.insert({relation.oid, column.number});
      }
      if (!found.protection->filters.empty()) {
        shared_.filtered.insert(relation.oid);
        filters_ = true;
      }
    }
    if (!relation.is_view() || relation.oid < catalog::first_normal_oid) return found;
    const auto known = shared_.views.find(relation.oid);
    if (known == shared_.views.end()) {
      if (++shared_.depth > view_depth_max) return fail(Errc::too_large, "views nested too deeply");
      std::string definition(relation.definition);
      while (definition.ends_with(';') || definition.ends_with('\n')) definition.pop_back();
      auto inner = Rewriter(shared_, definition, {}, true).run();
      --shared_.depth;
      if (!inner) return fail(inner);
      shared_.views[relation.oid] = std::move(*inner);
    }
    const Rewriting& view = shared_.views[relation.oid];
    if (!view.filtered.empty()) filters_ = true;
    // What is stored was neither masked nor filtered when it was; its columns are classified as
    // what they are made of.
    const bool stored = relation.kind == RelationKind::materialized_view;
    const bool through = stored ? !view.filtered.empty() : view.changed;
    if (through || !view.refused.empty()) found.view = &view;
    return found;
  }

  Reached reach(const Relation& relation) {
    auto found = behind(relation);
    if (!found) return {.unclear = true};
    return {.protection = found->protection,
            .through_view = found->view != nullptr,
            .unclear = (found->view != nullptr && !found->view->refused.empty()) ||
                       (found->protection != nullptr && !found->protection->unclear.empty())};
  }

  Result<void> replace(const FromSite& site) {
    if (!out_.refused.empty()) return ok();
    const Relation* const relation =
        shared_.catalog.relation(site.name.schema, site.name.name, path_);
    if (relation == nullptr) return ok();  // guarded.h says what that means
    auto found = behind(*relation);
    if (!found) return fail(found);
    if (found->empty()) return ok();
    if (found->view != nullptr && !found->view->refused.empty()) {
      refuse("the view " + site.name.name + " cannot be rewritten: " + found->view->refused);
      return ok();
    }
    if (found->protection != nullptr && !found->protection->unclear.empty()) {
      refuse(site.name.name + " cannot be masked: " + found->protection->unclear,
             "the operator can classify its own columns");
      return ok();
    }
    if (site.sampled) {
      refuse("TABLESAMPLE of " + site.name.name + " is not possible while columns of it are masked",
             "use LIMIT or a condition instead");
      return ok();
    }
    if (relation->kind == RelationKind::foreign_table ||
        (relation->kind == RelationKind::materialized_view && found->view != nullptr)) {
      refuse(site.name.name + " holds values of masked columns that the gateway cannot mask there",
             "the operator can classify its own columns");
      return ok();
    }
    const auto span = name_span(sql_, site.location);
    if (!span) {
      refuse("the name " + site.name.name + " is written in a way that cannot be rewritten");
      return ok();
    }
    note_masked(site, *relation, *found);
    auto inner = subquery(*relation, *found, site);
    if (!inner) return fail(inner);
    if (!out_.refused.empty()) return ok();
    auto expected = expect(site, *inner);
    if (!expected) return fail(expected);
    std::string text = span->table ? "SELECT * FROM " : "";
    text += *inner;
    if (!site.aliased) text += " AS " + quoted_name(site.called);
    edits_.push_back({span->table.value_or(span->begin), span->end, std::move(text)});
    if (!site.aliased && !site.name.name.empty()) shorten_columns(site.name);
    if (!site.renamed) replaced_[site.location] = {relation, site.called};
    return ok();
  }

  /// GROUP BY of a key goes for the whole row no longer.
  Result<void> complete_groups(Value tree) {
    for (const GroupedBy& add : ungrouped(tree, replaced_, mentions_)) {
      std::size_t before = add.location;
      while (before > 0 && (sql_[before - 1] == ' ' || sql_[before - 1] == '\n' ||
                            sql_[before - 1] == '\t' || sql_[before - 1] == '\r')) {
        --before;
      }
      if (before == 0 || sql_[before - 1] == '(') continue;  // it would become a row
      std::string columns;
      for (const std::string& column : add.columns) columns += column + ", ";
      const std::string probe =
          "SELECT " + columns.substr(0, columns.size() - 2);  // the same nodes as in GROUP BY
      OwnTree own;
      auto parsed = shared_.parser.parse(probe);
      if (!parsed) return fail(parsed);
      auto root = parsed->rejected ? Result<Value>(fail(Errc::malformed, parsed->message))
                                   : own.read(parsed->tree);
      if (!root) return fail(root);
      std::string expected;
      if (!columns_of_select(*root, expected)) {
        return fail(Errc::malformed, "a list of columns of ours is none");
      }
      replacements_.before[add.location] += expected;
      edits_.push_back({add.location, add.location, std::move(columns)});
    }
    return ok();
  }

  /// The names under which a statement could get at what is masked here.
  void note_masked(const FromSite& site, const Relation& relation, const Behind& found) {
    replaced_rows_.insert(site.called);
    if (site.renamed || found.view != nullptr) hidden_names_ = true;
    if (found.protection == nullptr) return;
    for (const MaskedColumn& masked : found.protection->masked) {
      if (const Column* const column = relation.column(masked.number)) {
        masked_names_.emplace(column->name);
      }
    }
  }

  /// (SELECT "id", <mask> AS "email" FROM "public"."customers" WHERE ...)
  Result<std::string> subquery(const Relation& relation, const Behind& found,
                               const FromSite& site) {
    std::string columns;
    for (const Column& column : relation.columns) {
      if (!columns.empty()) columns += ", ";
      const std::string name = quoted_name(column.name);
      const MaskedColumn* const masked = masked_column(found.protection, column.number);
      if (masked == nullptr) {
        columns += name;
        continue;
      }
      const std::string expression = mask_sql(shared_.catalog, column, masked->mask);
      if (expression.empty()) {
        refuse("the type of " + site.name.name + "." + std::string(column.name) + " is not known");
        return std::string();
      }
      columns += expression + " AS " + name;
    }
    for (const std::string_view name : system_columns_of(site)) {
      if (mentions_.all || mentions_.bare.contains(site.called) || relation.is_view()) {
        refuse(fmt::format("{} of {} cannot be read together with whole rows while columns of it "
                           "are masked",
                           name, site.name.name),
               "name the columns that you need");
        return std::string();
      }
      if (!columns.empty()) columns += ", ";
      columns += fmt::format("{} AS {}", name, quoted_name(name));
    }
    std::string source;
    if (found.view != nullptr) {
      std::string names;
      for (const Column& column : relation.columns) {
        if (!names.empty()) names += ", ";
        names += quoted_name(column.name);
      }
      source = fmt::format("({}) AS {}({})", found.view->sql, quoted_name(relation.name), names);
    } else {
      source = quoted_name(shared_.catalog.schema_name(relation.schema)) + "." +
               quoted_name(relation.name);
      if (site.only) source.insert(0, "ONLY ");
    }
    std::string where;
    if (found.protection != nullptr) {
      for (const std::string& filter : found.protection->filters) {
        where += fmt::format("{}({})", where.empty() ? " WHERE " : " AND ", filter);
      }
    }
    // A fence: no condition of the client's may see a row before the filter has.
    if (!where.empty()) where += " OFFSET 0";
    std::string text = fmt::format("(SELECT {} FROM {}{})", columns, source, where);
    if (text.size() > rewritten_bytes_max) {
      return fail(Errc::too_large, "the rewritten statement is too long");
    }
    return text;
  }

  static const MaskedColumn* masked_column(const Protection* protection, std::int16_t number) {
    if (protection == nullptr) return nullptr;
    const auto found = std::ranges::find(protection->masked, number, &MaskedColumn::number);
    return found == protection->masked.end() ? nullptr : &*found;
  }

  std::vector<std::string_view> system_columns_of(const FromSite& site) const {
    std::vector<std::string_view> found;
    for (const std::string_view name : system_columns) {
      const bool wanted = std::ranges::any_of(mentions_.columns, [&](const auto& column) {
        if (column.parts.back() != name) return false;
        return column.parts.size() == 1 || column.parts[column.parts.size() - 2] == site.called;
      });
      if (wanted) found.push_back(name);
    }
    return found;
  }

  /// What the tree must have in this place.
  Result<void> expect(const FromSite& site, const std::string& inner) {
    const std::string probe = "SELECT FROM " + inner + " AS x";
    auto parsed = shared_.parser.parse(probe);
    if (!parsed) return fail(parsed);
    if (parsed->rejected) return fail(Errc::malformed, "a sub-query of ours: " + parsed->message);
    auto root = read_tree(parsed->tree);
    if (!root) return fail(root);
    const auto item = only_from_item(*root);
    const auto query = item ? field(*item, "subquery") : std::nullopt;
    if (!query) return fail(Errc::malformed, "a sub-query of ours is none");
    expected_[site.location] = canonical(*query);
    return ok();
  }

  /// public.customers.email means nothing where public.customers is a sub-query: customers.email.
  void shorten_columns(const Name& name) {
    for (const Mentions::Column& column : mentions_.columns) {
      const auto& parts = column.parts;
      if (parts.size() < 3 || parts[parts.size() - 2] != name.name) continue;
      if (!name.schema.empty() && parts[parts.size() - 3] != name.schema) continue;
      const std::size_t gone = parts.size() - 2;
      if (replacements_.shortened.contains(column.location)) continue;
      const auto begin = part_begin(sql_, column.location, gone);
      if (!begin) continue;
      replacements_.shortened[column.location] = gone;
      edits_.push_back({column.location, *begin, ""});
    }
  }

  /// COPY t TO: COPY (SELECT ... FROM t) TO.
  Result<void> copy(const RelationUse& use) {
    const Relation* const relation =
        shared_.catalog.relation(use.name.schema, use.name.name, path_);
    if (relation == nullptr || relation->is_view()) return ok();
    auto found = behind(*relation);
    if (!found) return fail(found);
    if (found->empty()) return ok();
    if (relation->kind != RelationKind::table) {
      refuse("COPY " + use.name.name + " TO is not possible while columns of it are masked",
             "use COPY (SELECT ... FROM " + use.name.name + ") TO");
      return ok();
    }
    const auto span = name_span(sql_, mentions_.copy_location);
    if (!span) {
      refuse("the name " + use.name.name + " is written in a way that cannot be rewritten");
      return ok();
    }
    std::string columns;
    const auto add = [&](std::string_view name) {
      columns += (columns.empty() ? "" : ", ") + quoted_name(name);
    };
    for (const std::string& name : mentions_.copy_columns) add(name);
    if (mentions_.copy_columns.empty()) {
      for (const Column& column : relation->columns) {
        if (column.generated == 0) add(column.name);
      }
    }
    const FromSite site{.name = use.name, .called = use.name.name, .only = true};
    auto inner = subquery(*relation, *found, site);
    if (!inner) return fail(inner);
    if (!out_.refused.empty()) return ok();
    const std::string query =
        fmt::format("SELECT {} FROM {} AS {}", columns, *inner, quoted_name(relation->name));
    auto parsed = shared_.parser.parse(query);
    if (!parsed) return fail(parsed);
    auto root = parsed->rejected ? Result<Value>(fail(Errc::malformed, parsed->message))
                                 : read_tree(parsed->tree);
    if (!root) return fail(root);
    Object top;
    Object raw;
    const auto statements =
        root->get(top) == simdjson::SUCCESS ? array(top, "stmts") : std::nullopt;
    if (!statements || statements->size() != 1 || statements->at(0).get(raw) != simdjson::SUCCESS ||
        !field(raw, "stmt")) {
      return fail(Errc::malformed, "a query of ours is none");
    }
    replacements_.copied = canonical(*field(raw, "stmt"));
    const bool with_columns = !mentions_.copy_columns.empty();
    edits_.push_back(
        {span->begin, with_columns ? span->columns_end : span->end, "(" + query + ")"});
    return ok();
  }

  Result<Rewriting> finish() {
    out_.masked.assign(shared_.masked.begin(), shared_.masked.end());
    // Of a definition only its own, for what is stored by it.
    if (!definition_ || filters_) {
      out_.filtered.assign(shared_.filtered.begin(), shared_.filtered.end());
    }
    if (edits_.empty()) return std::move(out_);
    if (!replaced_.empty()) {
      auto parsed = shared_.parser.parse(sql_);
      if (!parsed) return fail(parsed);
      OwnTree own;
      auto tree = own.read(parsed->tree);
      if (!tree) return fail(tree);
      if (auto completed = complete_groups(*tree); !completed) return fail(completed);
    }
    out_.sql = apply(sql_, edits_);
    if (out_.sql.size() > rewritten_bytes_max) {
      refuse("the statement is too long once it is rewritten");
      return std::move(out_);
    }
    auto before = shared_.parser.parse(sql_);
    if (!before) return fail(before);
    auto tree = read_tree(before->tree);
    if (!tree) return fail(tree);
    complete_replacements(*tree);
    const std::string wanted = canonical(*tree, replacements_);

    auto after = shared_.parser.parse(out_.sql);
    if (!after) return fail(after);
    if (after->rejected) {
      refuse("it cannot be rewritten: " + after->message);
      return std::move(out_);
    }
    auto rewritten = read_tree(after->tree);
    if (!rewritten) return fail(rewritten);
    if (canonical(*rewritten) != wanted) {
      refuse("it cannot be rewritten without changing its meaning");
      return std::move(out_);
    }
    out_.changed = true;
    return std::move(out_);
  }

  /// The alias belongs to the sub-query now: the client's own, or the relation's name.
  void complete_replacements(Value value) {
    if (Array items; value.get(items) == simdjson::SUCCESS) {
      for (Value item : items) complete_replacements(item);
      return;
    }
    Object fields;
    if (value.get(fields) != simdjson::SUCCESS) return;
    for (const auto& [key, inner] : fields) {
      Object part;
      if (key == "RangeVar" && inner.get(part) == simdjson::SUCCESS) {
        const auto place = static_cast<std::size_t>(number(part, "location"));
        if (const auto query = expected_.find(place); query != expected_.end()) {
          const auto alias = field(part, "alias");
          const std::string called =
              alias ? canonical(*alias)
                    : "{\"aliasname\":" + canonical_text(text(part, "relname")) + ",}";
          replacements_.relations[place] =
              "\"RangeSubselect\":{\"subquery\":" + query->second + ",\"alias\":" + called + ",},";
        }
      }
      complete_replacements(inner);
    }
  }

  Shared& shared_;
  std::string_view sql_;
  const SearchPath path_;
  const bool definition_;  // of a view or a function, not the client's own
  std::vector<FromSite> sites_;
  Mentions mentions_;
  std::vector<Edit> edits_;
  std::map<std::size_t, std::string> expected_;  // canonical sub-query by place of its relation
  Replacements replacements_;
  std::map<std::size_t, Replaced> replaced_;  // by place of the relation
  std::set<std::string, std::less<>> masked_names_;
  std::set<std::string, std::less<>> replaced_rows_;
  bool hidden_names_ = false;
  bool filters_ = false;  // something that is filtered is behind it
  Rewriting out_;
};

}  // namespace

Result<Rewriting> rewrite(Parser& parser, std::string_view sql, const Catalog& catalog,
                          const Names& names, const Protections& protections) {
  Shared shared{.parser = parser, .catalog = catalog, .protections = protections};
  shared.temporary = &names.temporary;
  return Rewriter(shared, sql, names.path, false).run();
}

}  // namespace sallyport::postgres::sql
