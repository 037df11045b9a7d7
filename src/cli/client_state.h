#pragma once
// What `sallyport login` leaves behind: one file of mode 0600 with the tokens of one gateway.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace sallyport::cli {

struct ClientState {
  std::string gateway;
  std::string ca_file;
  std::string token_endpoint;
  std::string client_id;
  std::string access_token;
  std::string refresh_token;   // may be empty
  std::int64_t expires_s = 0;  // Unix time

  friend bool operator==(const ClientState&, const ClientState&) = default;
};

/// $XDG_STATE_HOME/sallyport/login.json, or under ~/.local/state.
Result<std::string> state_path();

/// nullopt: nobody is logged in. Refuses a file that others can read.
Result<std::optional<ClientState>> load_state(const std::string& path);
/// Whole or not at all.
Result<void> save_state(const std::string& path, const ClientState& state);
/// True if there was one.
Result<bool> remove_state(const std::string& path);

}  // namespace sallyport::cli
