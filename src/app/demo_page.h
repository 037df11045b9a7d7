#pragma once
// What the demo tells: the page of commands to try, and the same facts for programs.

#include <map>
#include <string>

#include "app/demo_files.h"

namespace sallyport::app {

struct DemoFacts {
  const DemoPlan* plan = nullptr;
  std::filesystem::path program;              // this binary
  std::map<std::string, std::string> tokens;  // by user
  std::filesystem::path ledger;
  std::string ledger_public_key;  // PEM
};

/// Commands to paste into another terminal, each with a line that says what will be seen.
std::string demo_page(const DemoFacts& facts);

/// `--ready-file`: one JSON object.
std::string demo_ready_json(const DemoFacts& facts);

/// libpq's connection service file with one service per user: `psql service=alice`.
std::string demo_service_file(const DemoFacts& facts);

}  // namespace sallyport::app
