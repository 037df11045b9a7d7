#pragma once
// What client_asks.cc tells the client_*.cc of a statement. Inside of a conversation only.

#include <cstddef>
#include <string>

#include "guard/guard.h"
#include "protocol/postgres/sql/analysis.h"

namespace sallyport::postgres {

/// A refusal that no policy was asked for.
Refusal not_analysed(std::string reason, std::string hint = "");
/// How often the server will ask for copy data.
std::size_t copies_from_client(const sql::Analysis& analysis);
/// It calls current_setting.
bool reads_settings(const sql::Statement& statement);
/// It names a prepared statement or a cursor of SQL's.
bool uses_names(const sql::Statement& statement);

}  // namespace sallyport::postgres
