#pragma once
// Masking by rewriting: every relation in FROM that has masked columns or row filters is replaced,
// in the client's own text, by a sub-query that masks and filters, so that whatever stands above it
// works on masked values. The result is parsed again and must be the tree that was decided with
// exactly these replacements. What cannot be rewritten and may touch masked data is refused.
// No policy here: what is protected, and how, comes from outside. No deparser, ever.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mask/mask.h"
#include "protocol/postgres/catalog/catalog.h"
#include "protocol/postgres/sql/parser.h"

namespace sallyport::postgres::sql {

struct MaskedColumn {
  std::int16_t number = 0;
  mask::Mask mask;
  std::string classification;  // for people
};

/// What holds for one relation.
struct Protection {
  std::vector<MaskedColumn> masked;  // in order of number
  std::vector<std::string> filters;  // conditions that every row that is read must meet
  /// Not empty: it holds what nobody can tell, and must not be read at all.
  std::string unclear = "";

  bool empty() const { return masked.empty() && filters.empty() && unclear.empty(); }
};

/// The protection of a relation, or null. Asked for every relation that a statement reaches; what
/// it returns must stay until the rewriting is done.
using Protections = std::function<const Protection*(const catalog::Relation&)>;

struct ColumnOrigin {
  catalog::Oid relation = 0;
  std::int16_t number = 0;

  auto operator<=>(const ColumnOrigin&) const = default;
};

struct Rewriting {
  std::string sql;  // to be sent: the text itself where nothing had to be replaced
  bool changed = false;
  /// Masked columns of all relations that it reaches, sorted: none of them may be the origin of a
  /// column in a RowDescription.
  std::vector<ColumnOrigin> masked;
  std::vector<catalog::Oid> filtered;  // relations that it reaches and whose rows are filtered
  /// What of its parameters names a setting to be read: text, and none of the gateway's.
  std::set<int> setting_parameters;
  /// Another constant in the text might have made it refused.
  bool depends_on_constants = false;

  /// Not empty: it must not be sent.
  std::string refused;
  std::string hint;
  std::string_view sqlstate = "42501";
  /// A relation is not in the catalog, which may be older than the database.
  bool unknown_name = false;
};

/// What names mean to a session.
struct Names {
  catalog::SearchPath path;
  /// Temporary relations that it made: they hold only what it was shown.
  std::set<std::string, std::less<>> temporary = {};
};

/// For a session with something protected on its connection. `sql` was analysed and is understood.
/// An Error is the parser's limits.
Result<Rewriting> rewrite(Parser& parser, std::string_view sql, const catalog::Catalog& catalog,
                          const Names& names, const Protections& protections);

}  // namespace sallyport::postgres::sql
