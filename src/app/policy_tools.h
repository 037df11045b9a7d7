#pragma once
// What `sallyport policy` needs from the rest of the program: the SQL analysis and the
// configuration.

#include <vector>

#include "app/config.h"
#include "cli/policy.h"

namespace sallyport::app {

cli::PolicyTools policy_tools();

/// What the policies may know of each connection of a configuration.
std::vector<policy::ConnectionFacts> connection_facts(const Config& config);

}  // namespace sallyport::app
