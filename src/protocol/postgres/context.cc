#include "protocol/postgres/context.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/crypto.h"
#include "ledger/json_writer.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t block_bytes = 64;  // of SHA-256

/// As HMAC pads it: PostgreSQL has sha256() without an extension, but no HMAC.
std::string pad(std::string_view key, std::uint8_t with) {
  std::array<std::byte, block_bytes> block{};
  const Digest digest = sha256(as_bytes(key));
  const Bytes used = key.size() > block_bytes ? Bytes(digest) : as_bytes(key);
  std::ranges::copy(used, block.begin());
  for (std::byte& byte : block) byte ^= std::byte{with};
  return to_hex(block);
}

std::string claims_of(const Session& session) {
  ledger::JsonWriter json;
  const Identity& subject = session.chain.subject();
  json.begin_object()
      .field("sub", subject.id)
      .field("kind", cedar_type(subject.kind))
      .field("iss", subject.issuer)
      .key("act")
      .begin_array();
  for (std::size_t i = 1; i < session.chain.identities.size(); ++i) {
    json.value(session.chain.identities[i].id);
  }
  json.end_array()
      .strings("groups", subject.groups)
      .field("session", session.id)
      .field("txn", session.authentication.transaction)
      .end_object();
  return json.take();
}

constexpr std::string_view install =
    R"SQL(-- Written by `sallyport postgres install-context`. Run it as a superuser, or as a role that has
-- pg_read_all_stats; it may be run again. It holds a key: keep it as you keep passwords.
begin;
set local search_path = pg_catalog, pg_temp;
create schema if not exists sallyport;
revoke all on schema sallyport from public;
grant usage on schema sallyport to public;
create table if not exists sallyport.context_key (
  id text primary key,
  inner_pad bytea not null,
  outer_pad bytea not null
);
-- What somebody else has made before would be theirs to change, and the key theirs to read.
do $check$
declare
  other text;
begin
  select format('%s, of %s', a.what, pg_get_userbyid(a.owner)) into other from (
    select 'schema ' || nspname, nspowner from pg_namespace where nspname = 'sallyport'
    union all
    select 'relation sallyport.' || relname, relowner from pg_class
      where relnamespace = 'sallyport'::regnamespace
    union all
    select 'function sallyport.' || proname, proowner from pg_proc
      where pronamespace = 'sallyport'::regnamespace
    ) a (what, owner)
    where a.owner <> (select oid from pg_roles where rolname = current_user) limit 1;
  if found then
    raise exception 'there is already: %', other
      using hint = 'drop it, or run this as its owner if it is yours';
  end if;
end
$check$;
revoke all on sallyport.context_key from public;
insert into sallyport.context_key values ('{id}', '\x{inner}', '\x{outer}')
  on conflict (id) do update set inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad;

-- Who this session is for, as the gateway says; NULL if it does not say so, or not of this session,
-- or not any more. No EXCEPTION block: it would be a subtransaction, which a parallel query may not
-- begin. What could fail comes after the MAC, and is the gateway's own.
create or replace function sallyport.context() returns jsonb
language plpgsql stable parallel restricted security definer
set search_path = pg_catalog, pg_temp
as $context$
declare
  part text[] := string_to_array(current_setting('sallyport.ctx', true), '.');
  key_used sallyport.context_key;
  started bigint;
begin
  if array_length(part, 1) is distinct from 7 or part[1] <> 'v1' then return null; end if;
  select * into key_used from sallyport.context_key k where k.id = part[2];
  if not found then return null; end if;
  if encode(sha256(key_used.outer_pad || sha256(key_used.inner_pad ||
       convert_to(array_to_string(part[1:6], '.'), 'UTF8'))), 'hex') <> part[7] then
    return null;
  end if;
  select (extract(epoch from a.backend_start) * 1000000)::bigint into started
    from pg_stat_get_activity(pg_backend_pid()) a;
  if part[3]::bigint <> pg_backend_pid() or part[4]::bigint is distinct from started or
     part[5]::bigint <= extract(epoch from clock_timestamp()) then
    return null;
  end if;
  return convert_from(decode(part[6], 'hex'), 'UTF8')::jsonb;
end
$context$;
revoke all on function sallyport.context() from public;
grant execute on function sallyport.context() to public;
commit;
)SQL";

void replace(std::string& text, std::string_view what, std::string_view with) {
  text.replace(text.find(what), what.size(), with);
}

}  // namespace

std::string session_context(const ContextKey& key, const ServerProcess& process,
                            const Session& session, WallTime now) {
  WallTime ends = now + context_s_max;
  if (session.authentication.expires_at != WallTime{}) {
    ends = std::min(ends, session.authentication.expires_at);
  }
  const std::string text =
      fmt::format("v1.{}.{}.{}.{}.{}", key.id, process.pid, process.started_us,
                  std::chrono::floor<std::chrono::seconds>(ends).time_since_epoch().count(),
                  to_hex(as_bytes(claims_of(session))));
  return text + "." + to_hex(hmac_sha256(as_bytes(key.key), as_bytes(text)));
}

std::string install_context_sql(const ContextKey& key) {
  std::string sql(install);
  replace(sql, "{id}", key.id);
  replace(sql, "{inner}", pad(key.key, 0x36));
  replace(sql, "{outer}", pad(key.key, 0x5c));
  return sql;
}

}  // namespace sallyport::postgres
