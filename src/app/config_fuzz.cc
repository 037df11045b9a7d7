// A configuration file of any content, alone and over another one: refused with places and reasons
// or read, in the same way every time, and never with a problem that cannot be told.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/document.h"

using namespace sallyport::app;

namespace {

// Not relative to where the fuzzer runs: nothing is there.
const std::filesystem::path nowhere = "/nonexistent/sallyport.yaml";

std::string read(const std::string& text, const std::string& over) {
  std::vector<Problem> problems;
  Value document = parse_document(text, nowhere, problems);
  if (!over.empty()) document = merge(std::move(document), parse_document(over, nowhere, problems));
  const std::size_t as_yaml = problems.size();
  const auto config =
      read_config(document, problems, [](const std::string& name) -> std::optional<std::string> {
        return name == "NONE" ? std::nullopt : std::optional<std::string>("secret");
      });
  if (!config) {
    if (config.error().empty()) std::abort();  // refused without a reason
    return to_string(config.error());
  }
  if (as_yaml != 0) std::abort();  // accepted in spite of a problem
  if (config->data.empty() || config->policies.empty()) std::abort();
  for (const ConnectionConfig& connection : config->connections) {
    if (connection.port == 0 || connection.databases.empty()) std::abort();
    if (config->connection(connection.name) == nullptr) std::abort();
  }
  return to_string(config->warnings);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string all(reinterpret_cast<const char*>(data), size);
  const std::size_t middle = all.find('\0');
  const std::string text = all.substr(0, middle);
  const std::string over = middle == std::string::npos ? "" : all.substr(middle + 1);
  if (read(text, over) != read(text, over)) std::abort();
  return 0;
}
