#pragma once
// What of a database is sensitive: the classifications and row filters of the configuration, laid
// over its catalog. A column is classified when its name says so, or a column that its values come
// from: a parent's, a partition's, what a generated column or a materialized view is made of. A
// table that was renamed keeps what it was classified as, for as long as the gateway runs.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/model.h"
#include "mask/mask.h"
#include "policy/connection_facts.h"
#include "protocol/postgres/catalog/catalog.h"
#include "protocol/postgres/sql/parser.h"
#include "protocol/postgres/sql/rewrite.h"

namespace sallyport::postgres {

class Classified {
 public:
  /// Where a classification comes from: the column that has it by its own name.
  struct Source {
    Resource column;
    std::vector<std::string> classifications;
  };
  struct Column {
    std::int16_t number = 0;
    std::vector<Source> sources;  // revealed only if all of them are
  };
  struct Filter {
    Resource resource;
    std::string condition;
  };
  struct Of {
    std::vector<Column> columns;  // in order of number
    std::vector<Filter> filters;
    /// Not empty: it holds what nobody can tell the classification of.
    std::string unclear;
  };

  /// `before`: of an earlier catalog of the same database, or null. Warns of rules that match
  /// nothing, once for each catalog.
  static std::shared_ptr<const Classified> make(sql::Parser& parser,
                                                std::shared_ptr<const catalog::Catalog> catalog,
                                                const policy::ConnectionFacts& facts,
                                                const Classified* before);

  /// Null: nothing is classified there.
  const Of* of(catalog::Oid relation) const;
  const std::map<catalog::Oid, Of>& all() const { return all_; }
  /// Columns that rules speak of and that are not there (yet).
  const std::vector<Resource>& unmatched() const { return unmatched_; }
  /// The same of row filters.
  const std::vector<Resource>& unmatched_filters() const { return unmatched_filters_; }
  const catalog::Catalog& catalog() const { return *catalog_; }
  const mask::Rules& masks() const { return masks_; }

 private:
  Classified() = default;
  void match(const policy::ConnectionFacts& facts);
  void keep_renamed(const Classified& before);
  void inherit(sql::Parser& parser);
  void inherit_filters();

  std::shared_ptr<const catalog::Catalog> catalog_;
  std::map<catalog::Oid, Of> all_;
  std::vector<Resource> unmatched_;
  std::vector<Resource> unmatched_filters_;
  mask::Rules masks_;
};

}  // namespace sallyport::postgres
