// Tells a server process who the session on it is for, in a setting that is good for this process
// alone. The client may overwrite the setting, and has then none: it cannot make another.

#include "base/numbers.h"
#include "net/reactor.h"
#include "protocol/postgres/upstream.h"

namespace sallyport::postgres {
namespace {

constexpr std::string_view which_process =
    "SELECT pg_catalog.pg_backend_pid(), "
    "(extract(epoch FROM a.backend_start) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8 "
    "FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a";

Result<ServerProcess> process_of(Bytes row) {
  FieldReader reader(row);
  if (reader.u16() != 2) return fail(Errc::malformed, "not a process");
  std::int64_t values[2] = {};
  for (std::int64_t& value : values) {
    const std::uint32_t size = reader.u32();
    if (size == 0xFFFFFFFF) return fail(Errc::denied, "the target does not say when it started");
    const auto number = parse_number<std::int64_t>(as_text(reader.bytes(size)));
    if (!number) return fail(Errc::malformed, "not a process");
    value = *number;
  }
  if (!reader.finished()) return fail(Errc::malformed, "not a process");
  return ServerProcess{.pid = values[0], .started_us = values[1]};
}

}  // namespace

Task<Result<void>> Upstream::pass_on(const Permit&, const ContextKey& key, const Session& session,
                                     WallTime now, SteadyTime deadline) {
  stream_->set_read_deadline(deadline);
  stream_->set_write_deadline(deadline);
  std::optional<ServerProcess> process;
  auto read = co_await own_rows(which_process, [&](Bytes row) -> Result<void> {
    auto found = process_of(row);
    if (!found) return fail(found);
    process = *found;
    return ok();
  });
  if (!read) co_return fail(read);
  if (!process) co_return fail(Errc::malformed, "the target does not know its own process");
  // Nothing in it needs a quote.
  auto set = co_await own_statement("SET " + std::string(context_setting) + " = '" +
                                        session_context(key, *process, session, now) + "'",
                                    "SET");
  if (!set) co_return fail(set);
  stream_->set_read_deadline(std::nullopt);
  stream_->set_write_deadline(std::nullopt);
  co_return ok();
}

}  // namespace sallyport::postgres
