#pragma once
// Statements that are no queries: what each makes, changes, removes, sets or names. Sessions and
// transactions are in utility.cc, definitions in definitions.cc and objects.cc.

#include <initializer_list>

#include "protocol/postgres/sql/walker.h"

namespace sallyport::postgres::sql {

class Utility {
 public:
  Utility(Walker& walker, Statement& out, Survey& survey)
      : walker_(walker), out_(out), survey_(survey) {}

  /// False: the kind of statement is not known.
  bool run(const Node& node);

 private:
  using Handler = void (Utility::*)(Object);
  struct Entry {
    std::string_view kind;
    Handler handler;
  };
  static const Entry* entry_of(std::string_view node_kind);

  // Findings.
  void not_understood(std::string why) { walker_.not_understood(std::move(why)); }
  void nest(const Node& node);
  void nest(Object fields, std::string_view name);
  void relation(Object fields, std::string_view name, Use use);
  void relations(Object fields, std::string_view name, Use use);
  void thing(std::string kind, Name name, Use use);
  void walk(Object fields, std::initializer_list<std::string_view> names, Walker::Part part = {});
  void options(Object fields, std::string_view name);
  void role(Object fields, std::string_view name);
  void roles(Object fields, std::string_view name);
  /// The object has a new owner or its rights are others: one action on the database.
  void rights() { thing("role", {}, Use::grant); }

  // Sessions.
  void nothing(Object) {}
  void transaction(Object fields);
  void transaction_modes(Object fields, std::string_view list);
  void set(Object fields);
  void set_many(Object fields, const std::string& name);
  std::optional<std::string> setting_value(Object fields, std::string_view name);
  void discard(Object fields);
  void prepare(Object fields);
  void execute(Object fields);
  void deallocate(Object fields);
  void declare(Object fields);
  void fetch(Object fields);
  void close(Object fields);
  void explain(Object fields);
  void copy(Object fields);
  void copy_columns(Object fields, ColumnRole role);
  void call(Object fields);
  void do_(Object fields);
  void listen(Object fields);
  void notify(Object fields);

  // Tables as a whole.
  void lock(Object fields);
  void truncate(Object fields);
  void vacuum(Object fields);
  void maintain(Object fields);
  void alter_database(Object fields);
  void create_database(Object fields);
  void drop_database(Object fields);

  // Definitions.
  void create_table(Object fields);
  void create_table_as(Object fields);
  void create_view(Object fields);
  void create_index(Object fields);
  void create_sequence(Object fields);
  void alter_sequence(Object fields);
  void create_schema(Object fields);
  void elements_of_schema(const std::string& schema, Array elements);
  void create_function(Object fields);
  void body(Value body, int depth = 0);
  void alter_function(Object fields);
  void function_settings(Object fields, std::string_view list);
  void create_trigger(Object fields);
  void create_rule(Object fields);
  void policy(Object fields);
  void create_domain(Object fields);
  void create_enum(Object fields);
  void create_range(Object fields);
  void create_composite(Object fields);
  void alter_type(Object fields);
  void alter_table(Object fields);
  void create_statistics(Object fields);
  void extension(Object fields);

  // What is neither relation nor routine: objects.cc.
  void support_function(const Name& name);
  void support_functions(Object fields, std::string_view list);
  void support_function_in(Object fields, std::string_view name);
  void in_schema(Object fields, std::string_view list, Use use);
  void walk_type(Object fields, std::string_view name);
  void define(Object fields);
  void create_cast(Object fields);
  void create_conversion(Object fields);
  void create_transform(Object fields);
  void operator_class(Object fields);
  void handled_object(Object fields);
  void create_in_database(Object fields);
  void alter_in_database(Object fields);
  void drop_in_database(Object fields);
  void user_mapping(Object fields);
  void create_foreign_table(Object fields);
  void import_foreign_schema(Object fields);
  void publication(Object fields);
  void kept_setting(Object fields);
  void checked_setting(Object fields);
  void alter_operator(Object fields);
  void alter_text_search(Object fields);
  void alter_collation(Object fields);
  void alter_statistics(Object fields);
  void label(Object fields);
  void depends(Object fields);
  void extension_contents(Object fields);
  void load(Object fields);

  // Objects of many kinds.
  void object_use(std::string_view type, Value value, Use use);
  void part_use(Value value);
  void type_part_use(Value value, Use use);
  void class_use(Value value, Use use);
  void rename(Object fields);
  void move(Object fields);
  void alter_owner(Object fields);
  bool named_here(Object fields, std::string_view type, Use use);
  void comment(Object fields);
  void drop(Object fields);
  void grant(Object fields);
  void granted_objects(Object fields);
  void grant_role(Object fields);
  void default_privileges(Object fields);
  void role_statement(Object fields);
  void reassign(Object fields);

  Walker& walker_;
  Statement& out_;
  Survey& survey_;
};

}  // namespace sallyport::postgres::sql
