#pragma once
// Who a session is for, told to the target so that nobody can forge it: the setting `sallyport.ctx`
// with a MAC over the chain, the server process that it is for, and a time. Row-level security and
// triggers read it through sallyport.context(), which checks all of that.

#include <cstdint>
#include <string>
#include <string_view>

#include "core/model.h"

namespace sallyport::postgres {

struct ContextKey {
  std::string id;  // letters and digits; which of several keys
  std::string key;

  explicit operator bool() const { return !key.empty(); }
};

constexpr std::string_view context_setting = "sallyport.ctx";
constexpr std::size_t context_key_bytes_min = 32;

/// The one server process that a context is for.
struct ServerProcess {
  std::int64_t pid = 0;
  std::int64_t started_us = 0;  // pg_stat_activity.backend_start
};

/// "v1.<key id>.<pid>.<started>.<ends>.<hex of JSON>.<hex of the MAC>": no character in it needs a
/// quote. `ends`: the credential's end, at most `context_s_max` from now.
constexpr std::chrono::hours context_s_max{24};
std::string session_context(const ContextKey& key, const ServerProcess& process,
                            const Session& session, WallTime now);

/// What an administrator runs once on the target: schema sallyport, the key (not readable by
/// anybody), and the function sallyport.context(), SECURITY DEFINER and STABLE.
std::string install_context_sql(const ContextKey& key);

}  // namespace sallyport::postgres
