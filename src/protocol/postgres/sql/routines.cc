#include "protocol/postgres/sql/routines.h"

#include <unordered_map>
#include <unordered_set>

#include "protocol/postgres/sql/system_names.h"

namespace sallyport::postgres::sql {

namespace {

constexpr int kOldestServer = 13;

using Since = std::unordered_map<std::string_view, int>;
using Names = std::unordered_set<std::string_view>;

/// Harmless names that older servers leave to users. Others need no version: their class asks for
/// leave in any case.
const Since& routines_since() {
  static const Since since = {
      {"bit_count", 14},
      {"bit_xor", 14},
      {"date_bin", 14},
      {"datemultirange", 14},
      {"extract", 14},
      {"hash_multirange", 14},
      {"hash_record", 14},
      {"hash_record_extended", 14},
      {"int4multirange", 14},
      {"int8multirange", 14},
      {"multirange", 14},
      {"multirange_cmp", 14},
      {"nummultirange", 14},
      {"pg_column_compression", 14},
      {"pg_get_catalog_foreign_keys", 14},
      {"pg_get_statisticsobjdef_columns", 14},
      {"range_agg", 14},
      {"range_intersect_agg", 14},
      {"string_to_table", 14},
      {"trim_array", 14},
      {"tsmultirange", 14},
      {"tstzmultirange", 14},
      {"unistr", 14},

      {"has_parameter_privilege", 15},
      {"pg_database_collation_actual_version", 15},
      {"pg_get_statisticsobjdef_expressions", 15},
      {"pg_settings_get_flags", 15},
      {"regexp_count", 15},
      {"regexp_instr", 15},
      {"regexp_like", 15},
      {"regexp_substr", 15},
      {"xid8_larger", 15},
      {"xid8_smaller", 15},

      {"any_value", 16},
      {"array_sample", 16},
      {"array_shuffle", 16},
      {"date_add", 16},
      {"date_subtract", 16},
      {"erf", 16},
      {"erfc", 16},
      {"json_agg_strict", 16},
      {"json_object_agg_strict", 16},
      {"json_object_agg_unique", 16},
      {"json_object_agg_unique_strict", 16},
      {"jsonb_agg_strict", 16},
      {"jsonb_object_agg_strict", 16},
      {"jsonb_object_agg_unique", 16},
      {"jsonb_object_agg_unique_strict", 16},
      {"pg_split_walfile_name", 16},
      {"random_normal", 16},
      {"system_user", 16},

      {"icu_unicode_version", 17},
      {"pg_basetype", 17},
      {"to_bin", 17},
      {"to_oct", 17},
      {"to_regtypemod", 17},
      {"unicode_assigned", 17},
      {"unicode_version", 17},
      {"uuid_extract_timestamp", 17},
      {"uuid_extract_version", 17},
      {"xmltext", 17},

      {"array_reverse", 18},
      {"array_sort", 18},
      {"casefold", 18},
      {"crc32", 18},
      {"crc32c", 18},
      {"gamma", 18},
      {"has_largeobject_privilege", 18},
      {"lgamma", 18},
      {"pg_get_acl", 18},
      {"uuidv4", 18},
      {"uuidv7", 18},
  };
  return since;
}

const Since& relations_since() {
  static const Since since = {
      {"pg_backend_memory_contexts", 14},
      {"pg_stat_progress_copy", 14},
      {"pg_stat_replication_slots", 14},
      {"pg_stat_wal", 14},
      {"pg_stats_ext_exprs", 14},

      {"pg_ident_file_mappings", 15},
      {"pg_parameter_acl", 15},
      {"pg_publication_namespace", 15},
      {"pg_stat_recovery_prefetch", 15},
      {"pg_stat_subscription_stats", 15},

      {"pg_stat_io", 16},

      {"pg_stat_checkpointer", 17},
      {"pg_wait_events", 17},

      {"pg_aios", 18},
      {"pg_shmem_allocations_numa", 18},
  };
  return since;
}

using Classes = std::unordered_map<std::string_view, RoutineClass>;

const Classes& classes() {
  static const Classes made = [] {
    Classes map;
    for (int c = 0; c < static_cast<int>(RoutineClass::unknown); ++c) {
      const auto routine_class = static_cast<RoutineClass>(c);
      for (const std::string_view name : system_routines(routine_class)) {
        map.emplace(name, routine_class);
      }
    }
    for (const auto& [name, relation] : catalog_routines()) {
      map.emplace(name, RoutineClass::catalog);
    }
    return map;
  }();
  return made;
}

bool in_catalog(const Name& name) {
  return name.schema.empty() || name.schema == "pg_catalog";
}

}  // namespace

/// What the views of information_schema are made with, and JDBC calls by name; a superuser's alone.
bool computes_in_information_schema(const Name& name) {
  static const Names names = {
      "_pg_expandarray",       "_pg_truetypid",         "_pg_truetypmod",
      "_pg_char_max_length",   "_pg_char_octet_length", "_pg_numeric_precision",
      "_pg_numeric_scale",     "_pg_interval_type",     "_pg_numeric_precision_radix",
      "_pg_datetime_precision"};
  return name.schema == "information_schema" && names.contains(name.name);
}

RoutineUse classify_routine(Name name) {
  RoutineUse use{.name = std::move(name)};
  if (computes_in_information_schema(use.name)) {
    use.routine_class = RoutineClass::pure;
    return use;
  }
  const auto found = classes().find(use.name.name);
  if (found == classes().end()) return use;
  // dblink and its like live in any schema.
  if (!in_catalog(use.name) && found->second != RoutineClass::dynamic_sql) return use;
  use.routine_class = found->second;
  if (use.name.schema.empty()) {
    const auto since = routines_since().find(use.name.name);
    if (since != routines_since().end()) use.since = since->second;
  }
  return use;
}

bool is_harmless(RoutineClass routine_class) {
  return routine_class == RoutineClass::pure || routine_class == RoutineClass::session ||
         routine_class == RoutineClass::catalog;
}

std::string_view catalog_of(std::string_view routine) {
  for (const auto& [name, relation] : catalog_routines()) {
    if (name == routine) return relation;
  }
  return {};
}

int catalog_relation_since(std::string_view name) {
  static const Names names(system_relations().begin(), system_relations().end());
  if (!names.contains(name)) return 0;
  const auto since = relations_since().find(name);
  return since == relations_since().end() ? kOldestServer : since->second;
}

bool is_system_type(const Name& name) {
  static const Names names(system_types().begin(), system_types().end());
  static const Names domains = {"cardinal_number", "character_data", "sql_identifier", "time_stamp",
                                "yes_or_no"};
  if (!name.catalog.empty()) return false;
  std::string_view type = name.name;
  if (type.starts_with('_')) type.remove_prefix(1);
  if (name.schema == "information_schema") return domains.contains(type);
  return in_catalog(name) && names.contains(type);
}

bool is_system_operator(const Name& name) {
  static const Names names(system_operators().begin(), system_operators().end());
  return name.catalog.empty() && in_catalog(name) && names.contains(name.name);
}

bool is_system_output(std::string_view column) {
  static const Names names(system_outputs().begin(), system_outputs().end());
  return names.contains(column);
}

}  // namespace sallyport::postgres::sql
