#include "protocol/postgres/sql/routines.h"

#include <gtest/gtest.h>

#include <set>

#include "protocol/postgres/sql/system_names.h"

namespace sallyport::postgres::sql {
namespace {

RoutineClass class_of(std::string_view name, std::string_view schema = "") {
  return classify_routine({.schema = std::string(schema), .name = std::string(name)}).routine_class;
}

TEST(SqlRoutines, HaveOneClassEach) {
  std::set<std::string_view> seen;
  std::size_t names = 0;
  for (int c = 0; c <= static_cast<int>(RoutineClass::unknown); ++c) {
    for (const auto name : system_routines(static_cast<RoutineClass>(c))) {
      ++names;
      EXPECT_TRUE(seen.insert(name).second) << name;
    }
  }
  for (const auto& [name, relation] : catalog_routines()) {
    ++names;
    EXPECT_TRUE(seen.insert(name).second) << name;
    EXPECT_NE(catalog_relation_since(relation), 0) << relation;
    EXPECT_EQ(catalog_of(name), relation);
  }
  EXPECT_GE(names, 2600u);
}

TEST(SqlRoutines, AreNotHarmlessIfTheyReachBeyondTheirArguments) {
  for (const auto* name : {"binary_upgrade_set_next_pg_authid_oid",
                           "brin_summarize_new_values",
                           "currtid",
                           "currtid2",
                           "current_query",
                           "currval",
                           "cursor_to_xml",
                           "database_to_xml",
                           "dblink",
                           "dblink_exec",
                           "crosstab",
                           "connectby",
                           "xpath_table",
                           "fmgr_sql_validator",
                           "lastval",
                           "lo_close",
                           "lo_creat",
                           "lo_create",
                           "lo_export",
                           "lo_from_bytea",
                           "lo_get",
                           "lo_import",
                           "lo_lseek",
                           "lo_open",
                           "lo_put",
                           "lo_tell",
                           "lo_truncate",
                           "lo_unlink",
                           "loread",
                           "lowrite",
                           "nextval",
                           "pg_advisory_lock",
                           "pg_advisory_xact_lock",
                           "pg_backup_start",
                           "pg_blocking_pids",
                           "pg_cancel_backend",
                           "pg_control_system",
                           "pg_create_logical_replication_slot",
                           "pg_create_restore_point",
                           "pg_current_logfile",
                           "pg_current_wal_lsn",
                           "pg_current_xact_id",
                           "pg_cursor",
                           "pg_drop_replication_slot",
                           "pg_export_snapshot",
                           "pg_extension_config_dump",
                           "pg_file_write",
                           "pg_hba_file_rules",
                           "pg_last_committed_xact",
                           "pg_listening_channels",
                           "pg_lock_status",
                           "pg_log_backend_memory_contexts",
                           "pg_logical_emit_message",
                           "pg_logical_slot_get_changes",
                           "pg_logical_slot_peek_changes",
                           "pg_ls_dir",
                           "pg_ls_logdir",
                           "pg_ls_tmpdir",
                           "pg_ls_waldir",
                           "pg_mcv_list_items",
                           "pg_nextoid",
                           "pg_notify",
                           "pg_prepared_statement",
                           "pg_prepared_xact",
                           "pg_promote",
                           "pg_read_binary_file",
                           "pg_read_file",
                           "pg_reload_conf",
                           "pg_relation_filepath",
                           "pg_replication_origin_create",
                           "pg_replication_slot_advance",
                           "pg_rotate_logfile",
                           "pg_sequence_last_value",
                           "pg_show_all_file_settings",
                           "pg_show_all_settings",
                           "pg_sleep",
                           "pg_sleep_for",
                           "pg_sleep_until",
                           "pg_stat_file",
                           "pg_stat_get_activity",
                           "pg_stat_get_wal_senders",
                           "pg_stat_reset",
                           "pg_switch_wal",
                           "pg_terminate_backend",
                           "pg_try_advisory_lock",
                           "pg_wal_replay_pause",
                           "plpgsql_call_handler",
                           "query_to_xml",
                           "query_to_xmlschema",
                           "satisfies_hash_partition",
                           "schema_to_xml",
                           "set_config",
                           "setval",
                           "table_to_xml",
                           "ts_rewrite",
                           "ts_stat",
                           "tsvector_update_trigger",
                           "txid_current",
                           "int4in",
                           "array_in",
                           "record_recv",
                           "domain_in"}) {
    EXPECT_FALSE(is_harmless(class_of(name))) << name;
    EXPECT_NE(class_of(name), RoutineClass::unknown) << name;
  }
}

TEST(SqlRoutines, ThatRunSqlAreKnownInAnySchema) {
  EXPECT_EQ(class_of("dblink", "extensions"), RoutineClass::dynamic_sql);
  EXPECT_EQ(class_of("query_to_xml", "pg_catalog"), RoutineClass::dynamic_sql);
}

TEST(SqlRoutines, OfOtherSchemasAreUnknown) {
  EXPECT_EQ(class_of("lower"), RoutineClass::pure);
  EXPECT_EQ(class_of("lower", "pg_catalog"), RoutineClass::pure);
  EXPECT_EQ(class_of("lower", "public"), RoutineClass::unknown);
  EXPECT_EQ(class_of("LOWER"), RoutineClass::unknown);
  EXPECT_EQ(class_of("my_function"), RoutineClass::unknown);
  // Keywords, which as names in quotes are anybody's.
  for (const auto* name : {"grouping", "json_value", "json_exists", "json_query", "coalesce"}) {
    EXPECT_EQ(class_of(name), RoutineClass::unknown) << name;
  }
}

TEST(SqlRoutines, SayWhichVersionBroughtThem) {
  EXPECT_EQ(classify_routine({.name = "lower"}).since, 0);
  EXPECT_EQ(classify_routine({.name = "any_value"}).since, 16);
  EXPECT_EQ(classify_routine({.schema = "pg_catalog", .name = "any_value"}).since, 0);
  EXPECT_EQ(catalog_relation_since("pg_class"), 13);
  EXPECT_EQ(catalog_relation_since("pg_stat_io"), 16);
  EXPECT_EQ(catalog_relation_since("customers"), 0);
  EXPECT_EQ(catalog_relation_since("pg_stat_statements"), 0);
}

TEST(SqlRoutines, TypesAndOperatorsOfPostgresAreKnown) {
  for (const auto* name : {"int4", "text", "_text", "jsonb", "regclass", "serial", "char", "name",
                           "tstzrange", "record"}) {
    EXPECT_TRUE(is_system_type({.name = name})) << name;
    EXPECT_TRUE(is_system_type({.schema = "pg_catalog", .name = name})) << name;
    EXPECT_FALSE(is_system_type({.schema = "public", .name = name})) << name;
  }
  EXPECT_TRUE(is_system_type({.schema = "information_schema", .name = "sql_identifier"}));
  EXPECT_FALSE(is_system_type({.name = "sql_identifier"}));
  EXPECT_FALSE(is_system_type({.name = "mood"}));
  EXPECT_FALSE(is_system_type({.name = "pg_class"}));
  EXPECT_TRUE(is_system_operator({.name = "+"}));
  EXPECT_TRUE(is_system_operator({.schema = "pg_catalog", .name = "@>"}));
  EXPECT_FALSE(is_system_operator({.schema = "public", .name = "+"}));
  EXPECT_FALSE(is_system_operator({.name = "<=>"}));
  EXPECT_FALSE(is_system_operator({.name = ""}));
}

TEST(SqlRoutines, NoOutputColumnIsCalledLikeAFunctionThatDoesHarm) {
  for (const auto column : system_outputs()) {
    const RoutineClass found = class_of(column);
    EXPECT_TRUE(found == RoutineClass::unknown || found == RoutineClass::pure) << column;
  }
  EXPECT_TRUE(is_system_output("key"));
  EXPECT_FALSE(is_system_output("pg_read_file"));
}

}  // namespace
}  // namespace sallyport::postgres::sql
