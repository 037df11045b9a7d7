#pragma once
// The sections of the configuration that have files of their own. Only for config.cc.

#include <string>
#include <vector>

#include "app/config.h"
#include "app/fields.h"

namespace sallyport::app {

/// What one reading of a configuration carries along.
struct Reading {
  std::vector<Problem>& problems;
  std::vector<Problem>& warnings;
  const Environment& environment;
};

void read_issuers(Reading& reading, Fields& top, Config& config);
void read_builtin_issuer(Reading& reading, Fields& top, Config& config);
void read_connections(Reading& reading, Fields& top, Config& config);
/// Once the listeners are known: every name leads to one place.
void check_hosts(Reading& reading, const Value& document, const Config& config);
void read_approvals(Reading& reading, Fields& top, Config& config);

/// `env:NAME`, `file:PATH` or the secret itself, with a warning. Problems are reported at `key`.
Secret read_secret(Reading& reading, Fields& fields, const std::string& key,
                   const std::string& example);

bool is_ip_address(const std::string& text);
/// Letters, digits, '-', '_' and '.', not at the start; it stands in Cedar ids and database names.
bool is_name(std::string_view text);

}  // namespace sallyport::app
