#pragma once
// Masks as SQL: an expression of PostgreSQL's own functions over one column, of the column's own
// type (a domain's is its base type, as on the wire). It never fails, whatever the value, for an
// error would tell the value; and it means the same under every search_path.
//
// The key of `hash` is not in the text, where plans, pg_stat_activity and server logs would show
// it: it is a setting of the session, which the gateway sets at its login and lets nobody read.

#include <string>
#include <string_view>

#include "mask/mask.h"
#include "protocol/postgres/catalog/catalog.h"

namespace sallyport::postgres::sql {

/// The setting that holds the key, 64 hex digits. Settings of this prefix are the gateway's own.
inline constexpr std::string_view mask_key_setting = "sallyport.mask_key";
inline constexpr std::string_view gateway_setting_prefix = "sallyport.";

/// "name", whatever is in it.
std::string quoted_name(std::string_view name);
std::string quoted_text(std::string_view text);

/// The type of a column as a cast takes it: "pg_catalog"."varchar"(20). Empty: not known.
std::string type_sql(const catalog::Catalog& catalog, catalog::Oid type, std::int32_t modifier);

/// The masked value of the column. Empty: its type is not known, so that nothing can be of it.
std::string mask_sql(const catalog::Catalog& catalog, const catalog::Column& column,
                     const mask::Mask& mask);

}  // namespace sallyport::postgres::sql
