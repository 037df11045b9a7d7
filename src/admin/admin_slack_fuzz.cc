// What comes to Slack's endpoint, after its signature was found good: still a stranger's bytes.

#include <cstddef>
#include <cstdint>

#include "admin/slack_api.h"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto click = sallyport::admin::read_slack_click(body);
  if (click) SALLYPORT_CHECK(!click->user.empty() && !click->request.empty());
  return 0;
}
