// Names of pg_catalog other than functions (PostgreSQL 13 to 18).

#include "protocol/postgres/sql/system_names.h"

namespace sallyport::postgres::sql {

namespace {

// clang-format off: many short names

// Tables and views.
constexpr std::string_view k_relations[] = {
    "pg_aggregate", "pg_aios", "pg_am", "pg_amop", "pg_amproc", "pg_attrdef", "pg_attribute",
    "pg_auth_members", "pg_authid", "pg_available_extension_versions",
    "pg_available_extensions", "pg_backend_memory_contexts", "pg_cast", "pg_class",
    "pg_collation", "pg_config", "pg_constraint", "pg_conversion", "pg_cursors", "pg_database",
    "pg_db_role_setting", "pg_default_acl", "pg_depend", "pg_description", "pg_enum",
    "pg_event_trigger", "pg_extension", "pg_file_settings", "pg_foreign_data_wrapper",
    "pg_foreign_server", "pg_foreign_table", "pg_group", "pg_hba_file_rules",
    "pg_ident_file_mappings", "pg_index", "pg_indexes", "pg_inherits", "pg_init_privs",
    "pg_language", "pg_largeobject", "pg_largeobject_metadata", "pg_locks", "pg_matviews",
    "pg_namespace", "pg_opclass", "pg_operator", "pg_opfamily", "pg_parameter_acl",
    "pg_partitioned_table", "pg_policies", "pg_policy", "pg_prepared_statements",
    "pg_prepared_xacts", "pg_proc", "pg_publication", "pg_publication_namespace",
    "pg_publication_rel", "pg_publication_tables", "pg_range", "pg_replication_origin",
    "pg_replication_origin_status", "pg_replication_slots", "pg_rewrite", "pg_roles",
    "pg_rules", "pg_seclabel", "pg_seclabels", "pg_sequence", "pg_sequences", "pg_settings",
    "pg_shadow", "pg_shdepend", "pg_shdescription", "pg_shmem_allocations",
    "pg_shmem_allocations_numa", "pg_shseclabel", "pg_stat_activity", "pg_stat_all_indexes",
    "pg_stat_all_tables", "pg_stat_archiver", "pg_stat_bgwriter", "pg_stat_checkpointer",
    "pg_stat_database", "pg_stat_database_conflicts", "pg_stat_gssapi", "pg_stat_io",
    "pg_stat_progress_analyze", "pg_stat_progress_basebackup", "pg_stat_progress_cluster",
    "pg_stat_progress_copy", "pg_stat_progress_create_index", "pg_stat_progress_vacuum",
    "pg_stat_recovery_prefetch", "pg_stat_replication", "pg_stat_replication_slots",
    "pg_stat_slru", "pg_stat_ssl", "pg_stat_subscription", "pg_stat_subscription_stats",
    "pg_stat_sys_indexes", "pg_stat_sys_tables", "pg_stat_user_functions",
    "pg_stat_user_indexes", "pg_stat_user_tables", "pg_stat_wal", "pg_stat_wal_receiver",
    "pg_stat_xact_all_tables", "pg_stat_xact_sys_tables", "pg_stat_xact_user_functions",
    "pg_stat_xact_user_tables", "pg_statio_all_indexes", "pg_statio_all_sequences",
    "pg_statio_all_tables", "pg_statio_sys_indexes", "pg_statio_sys_sequences",
    "pg_statio_sys_tables", "pg_statio_user_indexes", "pg_statio_user_sequences",
    "pg_statio_user_tables", "pg_statistic", "pg_statistic_ext", "pg_statistic_ext_data",
    "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "pg_subscription", "pg_subscription_rel",
    "pg_tables", "pg_tablespace", "pg_timezone_abbrevs", "pg_timezone_names", "pg_transform",
    "pg_trigger", "pg_ts_config", "pg_ts_config_map", "pg_ts_dict", "pg_ts_parser",
    "pg_ts_template", "pg_type", "pg_user", "pg_user_mapping", "pg_user_mappings", "pg_views",
    "pg_wait_events",
};

// Types. That of an array has an underscore before its name.
constexpr std::string_view k_types[] = {
    "aclitem", "any", "anyarray", "anycompatible", "anycompatiblearray",
    "anycompatiblemultirange", "anycompatiblenonarray", "anycompatiblerange", "anyelement",
    "anyenum", "anymultirange", "anynonarray", "anyrange", "bigserial", "bit", "bool", "box",
    "bpchar", "bytea", "char", "cid", "cidr", "circle", "cstring", "date", "datemultirange",
    "daterange", "event_trigger", "fdw_handler", "float4", "float8", "gtsvector",
    "index_am_handler", "inet", "int2", "int2vector", "int4", "int4multirange", "int4range",
    "int8", "int8multirange", "int8range", "internal", "interval", "json", "jsonb", "jsonpath",
    "language_handler", "line", "lseg", "macaddr", "macaddr8", "money", "name", "numeric",
    "nummultirange", "numrange", "oid", "oidvector", "path", "pg_dependencies", "pg_lsn",
    "pg_mcv_list", "pg_ndistinct", "pg_node_tree", "pg_snapshot", "point", "polygon", "record",
    "refcursor", "regclass", "regcollation", "regconfig", "regdictionary", "regnamespace",
    "regoper", "regoperator", "regproc", "regprocedure", "regrole", "regtype", "serial",
    "serial2", "serial4", "serial8", "smallserial", "table_am_handler", "text", "tid", "time",
    "timestamp", "timestamptz", "timetz", "trigger", "tsm_handler", "tsmultirange", "tsquery",
    "tsrange", "tstzmultirange", "tstzrange", "tsvector", "txid_snapshot", "unknown", "uuid",
    "varbit", "varchar", "void", "xid", "xid8", "xml",
};

constexpr std::string_view k_operators[] = {
    "!!", "!~", "!~*", "!~~", "!~~*", "#", "##", "#-", "#>", "#>>", "%", "&", "&&", "&<", "&<|",
    "&>", "*", "*<", "*<=", "*<>", "*=", "*>", "*>=", "+", "-", "->", "->>", "-|-", "/", "<",
    "<->", "<<", "<<=", "<<|", "<=", "<>", "<@", "<^", "=", ">", ">=", ">>", ">>=", ">^", "?",
    "?#", "?&", "?-", "?-|", "?|", "?||", "@", "@-@", "@>", "@?", "@@", "@@@", "^", "^@", "|",
    "|&>", "|/", "|>>", "||", "||/", "~", "~*", "~<=~", "~<~", "~=", "~>=~", "~>~", "~~", "~~*",
};

// What the columns of functions that return rows are called.
constexpr std::string_view k_outputs[] = {
    "abbrev", "access", "active", "active_pid", "address", "address_args", "address_names",
    "alias", "allocated_size", "application_name", "applied", "apply_error_count",
    "archived_count", "attrs", "auth_method", "backend_start", "backend_type", "backend_xid",
    "backend_xmin", "backup_end_lsn", "backup_start_lsn", "baredesc", "barelabel",
    "base_frequency", "blks_exists", "blks_hit", "blks_read", "blks_written", "blks_zeroed",
    "block_distance", "blocks_per_segment", "boot_val", "bytes_per_wal_segment", "cache_size",
    "catalog_version_no", "catalog_xmin", "catcode", "catdesc", "category", "change",
    "checkpoint_lsn", "checkpoint_time", "classid", "client_addr", "client_hostname",
    "client_port", "command", "command_tag", "comment", "confirmed_flush_lsn", "conninfo",
    "context", "creation", "creation_time", "custom_plans", "cycle_option", "data",
    "data_page_checksum_version", "data_type", "database", "database_block_size", "datid",
    "datoid", "dbid", "default_version", "description", "dictionaries", "dictionary", "end_lsn",
    "end_of_backup_record_required", "enumvals", "error", "external_id", "extra_desc",
    "failed_count", "fastpath", "file_name", "file_offset", "fkcols", "fktable",
    "float8_pass_by_value", "flush_lag", "flush_lsn", "flushed_lsn", "flushes", "free_bytes",
    "free_chunks", "frequency", "from_sql", "full_page_writes", "generic_plans", "gid",
    "granted", "grantee", "grantor", "gss_auth", "gss_enc", "gss_princ", "hit", "ident",
    "identity", "in_extension", "increment", "index", "io_depth", "is_array", "is_binary",
    "is_dst", "is_grantable", "is_holdable", "is_opt", "is_scrollable", "is_temporary", "isdir",
    "isleaf", "key", "labelfile", "large_object_chunk_size", "last_archived_time",
    "last_archived_wal", "last_failed_time", "last_failed_wal", "last_msg_receipt_time",
    "last_msg_send_time", "latest_end_lsn", "latest_end_time", "leader_pid", "level", "lexeme",
    "lexemes", "line_number", "local_id", "local_lsn", "locktype", "lsn", "map_name",
    "max_data_alignment", "max_identifier_length", "max_index_columns", "max_toast_chunk_size",
    "max_val", "maximum_value", "min_recovery_end_lsn", "min_recovery_end_timeline", "min_val",
    "minimum_value", "mode", "modification", "name", "ndoc", "nentry", "netmask",
    "newest_commit_ts_xid", "next_multi_offset", "next_multixact_id", "next_oid", "next_xid",
    "normal", "nulls", "object_args", "object_identity", "object_name", "object_names",
    "object_type", "objid", "objsubid", "off", "oid", "oldest_active_xid",
    "oldest_commit_ts_xid", "oldest_multi_dbid", "oldest_multi_xid", "oldest_xid",
    "oldest_xid_dbid", "option_name", "option_value", "options", "ordinality", "original",
    "ownerid", "page", "param1", "param10", "param11", "param12", "param13", "param14",
    "param15", "param16", "param17", "param18", "param19", "param2", "param20", "param3",
    "param4", "param5", "param6", "param7", "param8", "param9", "parameter_types", "parent",
    "parentrelid", "path", "pending_restart", "pg_control_last_modified", "pg_control_version",
    "pg_username", "pid", "pkcols", "pktable", "plugin", "positions", "prefetch",
    "prepare_time", "prepared", "prev_timeline_id", "privilege_type", "qual", "query",
    "query_id", "query_start", "receive_start_lsn", "receive_start_tli", "received_lsn",
    "received_tli", "redo_lsn", "redo_wal_file", "relation", "relid", "relocatable",
    "remote_lsn", "replay_lag", "replay_lsn", "reply_time", "requires", "reset_val",
    "restart_lsn", "rm_builtin", "rm_id", "rm_name", "roident", "safe_wal_size", "schema",
    "schema_name", "sender_host", "sender_port", "sent_lsn", "seqno", "setting", "short_desc",
    "size", "skip_fpw", "skip_init", "skip_new", "skip_rep", "slot_name", "slot_type", "source",
    "sourcefile", "sourceline", "spcmapfile", "spill_bytes", "spill_count", "spill_txns", "ssl",
    "ssl_client_dn", "ssl_client_serial", "ssl_issuer_dn", "sslbits", "sslcipher", "sslversion",
    "start_value", "state", "state_change", "statement", "stats_reset", "status",
    "stream_bytes", "stream_count", "stream_txns", "subid", "superuser", "sync_error_count",
    "sync_priority", "sync_state", "sys_name", "system_identifier", "target", "temporary",
    "timeline_id", "timestamp", "token", "tokid", "total_bytes", "total_nblocks", "total_txns",
    "transaction", "transactionid", "truncates", "trusted", "tuple", "two_phase", "type",
    "unit", "used_bytes", "user_name", "usesysid", "utc_offset", "value", "values", "vartype",
    "version", "virtualtransaction", "virtualxid", "wait_event", "wait_event_type", "waitstart",
    "wal_block_size", "wal_buffers_full", "wal_bytes", "wal_distance", "wal_fpi", "wal_records",
    "wal_status", "wal_sync", "wal_sync_time", "wal_write", "wal_write_time", "weights", "word",
    "write_lag", "write_lsn", "written_lsn", "xact_start", "xid", "xmin",
};
// clang-format on

}  // namespace

std::span<const std::string_view> system_relations() {
  return k_relations;
}
std::span<const std::string_view> system_types() {
  return k_types;
}
std::span<const std::string_view> system_operators() {
  return k_operators;
}
std::span<const std::string_view> system_outputs() {
  return k_outputs;
}

}  // namespace sallyport::postgres::sql
