#pragma once
// JsonMasker: masks the values of a JSON document while it streams by. It takes bytes in pieces of
// any size and gives what may go out by now; where the pieces are torn makes no difference. Strict:
// whatever two readers could understand differently (duplicate names, other encodings, something
// behind the document) is an error before it goes out, and nothing may follow an error.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "content/json_lexer.h"
#include "content/json_text.h"
#include "content/name_set.h"
#include "content/selector.h"
#include "content/value_mask.h"
#include "mask/masker.h"

namespace sallyport::content {

/// What is masked in one document, and how. `masks` are by label of the selector, nullopt for what
/// may be revealed; Plan::make fills them in.
struct Plan {
  std::shared_ptr<const Selector> selector;  // null: nothing is classified
  std::vector<std::optional<mask::Mask>> masks;
  MaskKey key;
  /// Looks through the values that are not masked, and names. Null: nobody does. It belongs to the
  /// worker and outlives the document.
  mask::Masker* detectors = nullptr;

  /// `revealed`: classes that are not masked, sorted. A value of several is revealed if all are.
  static Plan make(std::shared_ptr<const Selector> selector, const mask::Rules& rules,
                   std::span<const std::string> revealed, const MaskKey& key,
                   mask::Masker* detectors);
  /// True if some value could be masked by its class.
  bool masks_something() const;
  /// Nothing would be done to any document: it may go by as it is.
  bool idle() const { return detectors == nullptr && !masks_something(); }
};

/// What was done, for the ledger: never a value.
struct Masked {
  std::uint64_t fields = 0;    // values that were masked by their class
  std::uint64_t withheld = 0;  // values that detectors could not look through
  std::array<std::uint64_t, mask::detector_count> found{};

  /// And empties them.
  void add(mask::Findings& findings);
  void add(const Masked& more);
};

class JsonMasker {
 public:
  /// `lines`: NDJSON.
  explicit JsonMasker(Plan plan, const JsonLimits& limits = {}, bool lines = false);

  /// Appends to `out`. On failure nothing is appended, and the document must not be completed.
  Result<void> feed(Bytes piece, ByteVector& out);
  /// At the end of the body. Fails where the document is cut off.
  Result<void> finish(ByteVector& out);

  const Masked& masked() const { return masked_; }

 private:
  /// What becomes of the value that is coming by.
  enum class Mode : std::uint8_t {
    pass,     // goes out as it comes
    mask,     // held, and then what the mask leaves of it goes out
    drop,     // the same, but what it is does not matter for that
    inspect,  // held, and then looked through
    stream,   // a text too long to be held: looked through in windows
  };
  struct Frame {
    Selector::Node node = Selector::nothing;
    bool object = false;
    mask::Topics topics;  // of the name that an array has
    NameSet::Mark names;
  };
  /// What detectors say of a name.
  struct NameFacts {
    mask::Topics topics;
    std::string instead;  // what goes out, with quotes, if it is not the name
  };

  /// These say false when error_ is why not.
  bool take(const Token& token);
  bool take_name(const Token& token);
  bool take_value(const Token& token);
  bool end_name(const Token& token, std::string_view raw);
  bool end_value(const Token& token, std::string_view raw);
  void end_masked(const Token& token, std::string_view raw);
  bool end_inspected(const Token& token, std::string_view raw);
  bool begin_stream();
  bool stream_part(std::string_view raw, bool last);
  const NameFacts* facts_of(std::string_view name, std::uint64_t hash);
  bool failed(Errc code, std::string what);
  bool fine(Result<void> done);
  void begin_container(const Token& token);
  void end_container(const Token& token);
  Mode begin_mode(Token::Kind kind);
  Selector::Node value_node() const;
  const std::optional<mask::Mask>& mask_at(Selector::Node node) const;
  void pass_until(const char* end);
  /// The token goes out as `text` instead of as it came; so it has to where parts of it were held.
  void replace(const Token& token, std::string_view text);
  std::string_view hold(const Token& token);

  Plan plan_;
  JsonLimits limits_;
  JsonLexer lexer_;
  std::vector<Frame> frames_;
  NameSet names_;
  Selector::Node member_ = Selector::nothing;  // of the member whose value comes next
  mask::Topics topics_;                        // what its name says
  std::uint32_t dropped_from_ = 0;             // depth of an object that is masked; 0: none
  Mode mode_ = Mode::pass;
  mask::Mask mask_;  // where mode_ is mask or drop
  bool stream_begun_ = false;
  const char* pass_from_ = nullptr;  // of the piece: what went out or was left out is before it
  ByteVector* out_ = nullptr;
  std::string held_;  // of a token, from earlier pieces
  std::string text_;  // one without its escapes
  Unescaper unescaper_;
  mask::TextStream stream_;
  mask::Findings findings_;
  std::unordered_map<std::uint64_t, NameFacts> name_facts_;  // by hash_name
  NameFacts last_facts_;
  Masked masked_;
  Error error_{Errc::malformed, ""};
};

}  // namespace sallyport::content
