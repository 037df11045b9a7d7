// Any path: it is taken or refused, and what is taken makes a selector that can be walked.

#include <string>

#include "base/check.h"
#include "content/selector.h"

using namespace sallyport;
using namespace sallyport::content;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  SelectorBuilder builder;
  for (std::size_t begin = 0; begin <= all.size();) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    (void)builder.add({std::string(all.substr(begin, end - begin)), {"a"}});
    begin = end + 1;
  }
  const auto made = builder.build();
  if (!made) return 0;
  Selector::Node at = (*made)->root();
  for (const char c : all) {
    at = c == '*' ? (*made)->element(at) : (*made)->member(at, std::string_view(&c, 1));
    SALLYPORT_CHECK((*made)->label(at) < (*made)->labels().size());
  }
  return 0;
}
