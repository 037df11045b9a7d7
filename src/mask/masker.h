#pragma once
// Masker: hides what the detectors find in the values of a result, in place and without changing
// their length, so that a value of any size goes through in pieces. A value is taken as it is on
// the wire: text, JSON, an array, a row, hexadecimal bytea, in text or binary format. Which of them
// it is shows in its bytes:
//   a zero         binary with lengths inside (arrays, rows): what stands between them is text
//   \x and hex     bytea: what it stands for
//   a backslash    escapes of JSON, COPY or C: also what they stand for
//   { or [ first   JSON, where a number gives way to null

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "mask/scanner.h"

namespace sallyport::mask {

enum class Mode : std::uint8_t { off, report, mask };
std::string_view to_string(Mode mode);
std::optional<Mode> mode_of(std::string_view name);

/// What was found in values; never the values.
struct Findings {
  std::vector<Detector> found;
  std::uint64_t withheld = 0;  // values, or windows of long ones, that could not be looked through

  bool empty() const { return found.empty() && withheld == 0; }
  void clear() {
    found.clear();
    withheld = 0;
  }
};

/// Where a long text stands between two windows of it.
struct Window {
  std::size_t seen = 0;          // bytes at its beginning that went out with the window before
  std::size_t release = 0;       // up to here it may go out now
  std::size_t escape = 0;        // bytes at its beginning that belong to an escape before it
  std::optional<Detector> open;  // what reaches into it, ...
  std::size_t open_at = 0;       // ... and up to where it is hidden already
  bool first = true;
  bool last = true;
  bool json = false;
  bool hex = false;
};

class Masker {
 public:
  Masker(Scanner scanner, Mode mode) : scanner_(std::move(scanner)), mode_(mode) {}

  Mode mode() const { return mode_; }
  const DetectorSet& wanted() const { return scanner_.wanted(); }

  /// Hides what is in `value`, of any length. `named`: what its column's name says of it. Fails
  /// when it could not be looked through and cannot be withheld either: then it must not go out.
  Result<void> whole(std::span<char> value, const Topics& named, Findings& findings);

  /// The same for one window of a long value; prepares `window` for the next one, which begins
  /// where next_begin() says.
  Result<void> window(std::span<char> text, const Topics& named, Window& window,
                      Findings& findings);
  static std::size_t next_begin(const Window& window);

  Result<Topics> topics_of(std::string_view column) { return scanner_.topics_of(column); }

 private:
  /// What the bytes of a value stand for, and which bytes of it each one stands in.
  struct View {
    std::string text;
    std::vector<std::uint32_t> from;  // one more than text has: the end
  };
  void view_hex(std::string_view text, bool first);
  void view_escapes(std::string_view text, std::size_t skip);
  void view_binary(std::string_view text);
  void hide(std::span<char> text, std::span<const Hit> hits, bool through_view, Window& window,
            Findings& findings);
  void hide_one(std::span<char> text, const Hit& hit, bool through_view, const Window& window);
  Result<void> withhold(std::span<char> text, const Window& window, Findings& findings);
  void go_on(std::span<char> text, Window& window);

  Scanner scanner_;
  Mode mode_;
  View view_;
  std::vector<Hit> as_is_;  // in the bytes themselves, where there is a view of them too
  std::string shown_;       // what a mask makes of a hit
  using Told = std::pair<std::uint32_t, std::uint32_t>;
  std::vector<Told> told_;  // of this window, counted already
};

/// One value that comes in pieces of any size. Needs at most 64 KB, and only while it comes.
class TextStream {
 public:
  void begin(const Topics& named);
  /// Appends to `out` what may go out of it by now; after the last piece, all of it.
  Result<void> feed(Masker& masker, std::string_view piece, bool last, ByteVector& out,
                    Findings& findings);
  bool holds_back() const { return held_.size() > window_.seen; }

 private:
  Result<void> step(Masker& masker, bool last, ByteVector& out, Findings& findings);

  Topics named_;
  Window window_;
  std::string held_;
};

}  // namespace sallyport::mask
