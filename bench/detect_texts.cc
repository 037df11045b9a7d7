// For bench/detectors: reads texts that end in a zero from standard input and writes what the
// detectors find in each: lines "NAME BEGIN END" in bytes, then a dot.

#include <cstdio>
#include <string>

#include "mask/scanner.h"

int main() {
  using namespace sallyport::mask;
  auto patterns = Patterns::make();
  if (!patterns) return 1;
  auto scanner = Scanner::make(*patterns);
  if (!scanner) return 1;
  std::string text;
  for (int c = 0; (c = std::getchar()) != EOF;) {
    if (c != 0) {
      text += static_cast<char>(c);
      continue;
    }
    const auto hits = scanner->scan(text);
    if (!hits) return 1;
    for (const Hit& hit : *hits) {
      std::printf("%s %u %u\n", std::string(info(hit.detector).name).c_str(), hit.begin, hit.end);
    }
    std::puts(".");
    text.clear();
  }
  return 0;
}
