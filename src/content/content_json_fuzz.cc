// Any bytes as a document, in one piece and torn: the same comes out, or the same is refused; what
// comes out is JSON to another reader, too, and what is classified in it is masked.

#include <simdjson.h>

#include <algorithm>
#include <string>

#include "base/check.h"
#include "content/json_masker.h"

using namespace sallyport;
using namespace sallyport::content;

namespace {

mask::Masker& detectors() {
  static mask::Masker masker(*mask::Scanner::make(*mask::Patterns::make()), mask::Mode::mask);
  return masker;
}

std::shared_ptr<const Selector> selector() {
  static const auto made = [] {
    SelectorBuilder builder;
    SALLYPORT_CHECK(builder.add({"$..e", {"all"}}));
    SALLYPORT_CHECK(builder.add({"$.a[*]", {"pii.email"}}));
    return *builder.build();
  }();
  return made;
}

struct Answer {
  std::string out;
  std::string error;
};

Answer run(std::string_view text, std::size_t tear, bool lines, bool detect) {
  const JsonLimits limits{.depth_max = 20, .held_bytes_max = 64};
  JsonMasker masker(Plan::make(selector(), {{"all", mask::Kind::redact}}, {}, {},
                               detect ? &detectors() : nullptr),
                    limits, lines);
  ByteVector out;
  Answer answer;
  auto done = ok();
  for (std::size_t at = 0; done && at < text.size(); at += tear) {
    const std::string piece(text.substr(at, tear));
    done = masker.feed(as_bytes(piece), out);
  }
  if (done) done = masker.finish(out);
  answer.out = as_text(out);
  if (!done) answer.error = done.error().detail;
  return answer;
}

void check_masked(simdjson::dom::element value) {
  if (value.is_array()) {
    for (const auto item : value.get_array()) check_masked(item);
  } else if (value.is_object()) {
    for (const auto [name, member] : value.get_object()) {
      if (name == "e" && member.is_string()) {
        SALLYPORT_CHECK(member.get_string().value() == "****");
      } else if (name == "e" && !member.is_array()) {
        SALLYPORT_CHECK(member.is_null());
      }
      check_masked(member);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t tear = 1 + data[0] % 64;
  const bool lines = (data[1] & 1) != 0;
  const bool detect = (data[1] & 2) != 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Answer whole = run(text, text.size() + 1, lines, detect);
  const Answer torn = run(text, tear, lines, detect);
  SALLYPORT_CHECK(whole.error == torn.error);
  if (!whole.error.empty()) return 0;
  SALLYPORT_CHECK(whole.out == torn.out);
  if (lines || text.empty()) return 0;

  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const auto error = parser.parse(whole.out).get(root);
  // It takes neither numbers beyond 64 bits nor halves of surrogate pairs in values.
  if (error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR ||
      error == simdjson::EMPTY) {
    return 0;
  }
  SALLYPORT_CHECK(error == simdjson::SUCCESS);
  check_masked(root);
  return 0;
}
