#include "store/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <memory>
#include <mutex>

namespace sallyport::store {
namespace {

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

// One step per version; a step that was shipped is never edited.
constexpr const char* kMigrations[] = {
    R"(create table secret (name text primary key, value blob not null) strict;
       create table ticket (
         id text primary key,
         user text not null,
         connection text not null,
         hash blob not null unique,
         stored_key blob not null,
         server_key blob not null,
         credential text not null,
         created_us integer not null,
         expires_us integer not null) strict;
       create index ticket_user on ticket (user, connection);
       create index ticket_expires on ticket (expires_us);)",
    R"(create table approval (
         id text primary key,
         hash text not null,
         requester text not null,
         state text not null,
         body text not null,
         created_us integer not null,
         ends_us integer not null,
         closed_by text not null,
         uses_left integer not null) strict;
       create index approval_hash on approval (hash, state);
       create index approval_created on approval (created_us);
       create index approval_requester on approval (requester, state);
       create table approval_vote (
         request text not null references approval (id),
         voter text not null,
         name text not null,
         credential text not null,
         approve integer not null,
         reason text not null,
         at_us integer not null,
         primary key (request, voter)) strict;)",
    R"(create table delegation (
         id text primary key,
         user text not null,
         agent text not null,
         agent_issuer text not null,
         agent_subject text not null,
         connection text not null,
         reason text not null,
         credential text not null,
         created_us integer not null,
         expires_us integer not null,
         revoked_us integer) strict;
       create index delegation_user on delegation (user);
       create index delegation_agent on delegation (agent_issuer, agent_subject);
       create table logout (
         issuer text not null,
         subject text not null,
         login_session text not null,
         at_us integer not null,
         primary key (issuer, subject, login_session)) strict;)",
    R"(alter table approval_vote add column address text not null default '127.0.0.1';
       create index approval_open on approval (ends_us) where state in ('pending', 'approved');)",
    R"(create table delivery (
         number integer primary key autoincrement,
         id text not null,
         hook text not null,
         body text not null,
         created_us integer not null,
         next_us integer not null,
         attempts integer not null) strict;
       create index delivery_next on delivery (next_us);
       create table break_glass (
         session text primary key,
         user text not null,
         requester text not null,
         connection text not null,
         ticket text not null,
         reason text not null,
         started_us integer not null,
         due_us integer not null,
         reviewed_by text not null,
         reviewed_us integer not null,
         finding text not null) strict;
       create index break_glass_open on break_glass (started_us) where reviewed_by = '';)",
    R"(alter table delivery add column urgent integer not null default 0;
       create index delivery_hook on delivery (hook, urgent, number);)",
    R"(alter table break_glass add column protocol text not null default 'postgres';)",
};

int bind(sqlite3_stmt* statement, int at, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return sqlite3_bind_int64(statement, at, *number);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return sqlite3_bind_text64(statement, at, text->data(), text->size(), SQLITE_TRANSIENT,
                               SQLITE_UTF8);
  }
  if (const auto* blob = std::get_if<ByteVector>(&value)) {
    // A null pointer would bind NULL.
    const void* data = blob->empty() ? "" : static_cast<const void*>(blob->data());
    return sqlite3_bind_blob64(statement, at, data, blob->size(), SQLITE_TRANSIENT);
  }
  return sqlite3_bind_null(statement, at);
}

Value column(sqlite3_stmt* statement, int at) {
  switch (sqlite3_column_type(statement, at)) {
    case SQLITE_INTEGER:
      return sqlite3_column_int64(statement, at);
    case SQLITE_NULL:
      return std::monostate{};
    case SQLITE_BLOB: {
      const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement, at));
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, at));
      return ByteVector(data, data + size);
    }
    default: {
      const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement, at));
      return std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement, at)));
    }
  }
}

}  // namespace

struct Database::State {
  sqlite3* handle = nullptr;
  // Held over a whole transaction, inside which run() is called again.
  std::recursive_mutex mutex;

  ~State() { sqlite3_close_v2(handle); }

  std::unexpected<Error> problem(std::string_view doing) const {
    return fail(Errc::io, "store: " + std::string(doing) + ": " + sqlite3_errmsg(handle));
  }

  Result<void> execute(const char* sql) {
    if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return problem(sql);
    return ok();
  }

  Result<void> prepare_file() {
    sqlite3_busy_timeout(handle, 5000);
    for (const char* pragma : {"pragma journal_mode = wal", "pragma synchronous = full",
                               "pragma foreign_keys = on", "pragma trusted_schema = off"}) {
      if (auto done = execute(pragma); !done) return done;
    }
    return ok();
  }
};

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  if (path != ":memory:") {
    // SQLite would make it with the umask's mode.
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return fail(Errc::io, "store: cannot open " + path);
    ::close(file);
  }
  auto state = std::make_unique<State>();
  if (sqlite3_open_v2(path.c_str(), &state->handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                      nullptr) != SQLITE_OK) {
    return fail(Errc::io, "store: cannot open " + path);
  }
  if (auto prepared = state->prepare_file(); !prepared) return fail(prepared);
  std::unique_ptr<Database> database(new Database(std::move(state)));
  if (auto migrated = database->migrate(); !migrated) return fail(migrated, path);
  return database;
}

Result<void> Database::migrate() {
  auto rows = run("pragma user_version");
  if (!rows) return fail(rows);
  const auto version = std::get<std::int64_t>((*rows)[0][0]);
  const auto latest = static_cast<std::int64_t>(std::size(kMigrations));
  if (version > latest) {
    return fail(Errc::invalid, "the store was written by a newer version of Sallyport");
  }
  for (auto step = version; step < latest; ++step) {
    auto done = transaction([&](Database& database) -> Result<void> {
      auto made = database.state_->execute(kMigrations[step]);
      if (!made) return made;
      return database.state_->execute(
          ("pragma user_version = " + std::to_string(step + 1)).c_str());
    });
    if (!done) return done;
  }
  return ok();
}

Result<std::vector<Row>> Database::run(std::string_view sql, const std::vector<Value>& parameters,
                                       std::size_t rows_max) {
  const std::lock_guard lock(state_->mutex);
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(state_->handle, sql.data(), static_cast<int>(sql.size()), &prepared,
                         nullptr) != SQLITE_OK) {
    return state_->problem(sql);
  }
  const Statement statement(prepared);
  int at = 0;
  for (const Value& parameter : parameters) {
    if (bind(prepared, ++at, parameter) != SQLITE_OK) return state_->problem(sql);
  }
  std::vector<Row> rows;
  while (true) {
    const int step = sqlite3_step(prepared);
    if (step == SQLITE_DONE) return rows;
    if (step != SQLITE_ROW) return state_->problem(sql);
    if (rows.size() == rows_max) return fail(Errc::too_large, "store: too many rows");
    Row& row = rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(prepared); ++i) row.push_back(column(prepared, i));
  }
}

Result<void> Database::transaction(const std::function<Result<void>(Database&)>& body) {
  const std::lock_guard lock(state_->mutex);
  if (auto begun = state_->execute("begin immediate"); !begun) return begun;
  auto done = body(*this);
  if (done) done = state_->execute("commit");
  if (!done) (void)state_->execute("rollback");
  return done;
}

}  // namespace sallyport::store
