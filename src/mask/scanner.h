#pragma once
// Scanner: finds what the detectors look for in a text. A text goes through three sieves:
//   classes.h   which kinds of bytes it has at all: most texts end here
//   patterns.h  the fixed words of secrets (vectorscan), only where a secret could be
//   find_*.cc   what the candidates really are: length, check digits, the words around them
// It keeps no state between texts. cell.h masks with it, and cuts long texts into windows.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mask/classes.h"
#include "mask/detector.h"
#include "mask/patterns.h"

namespace sallyport::mask {

/// One thing found: [begin, end) of the text.
struct Hit {
  Detector detector;
  bool open = false;  // it goes on to the end of the text, and maybe beyond
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  bool operator==(const Hit&) const = default;
};

/// At most; longer ones are cut into windows by cell.h.
inline constexpr std::size_t text_bytes_max = std::size_t{64} * 1024;
/// Candidates of secrets, or words that say what a number is, in one text.
inline constexpr std::size_t candidates_max = 8192;
/// What is longer is not found but for private keys and tokens, which say where they end.
inline constexpr std::size_t hit_bytes_max = std::size_t{8} * 1024;
/// How far before a number the words may stand that say what it is, and behind it.
inline constexpr std::size_t before_bytes_max = 64;
inline constexpr std::size_t behind_bytes_max = 24;

class Scanner {
 public:
  /// `patterns` are shared by all scanners; `wanted` are the detectors to use.
  static Result<Scanner> make(std::shared_ptr<const Patterns> patterns,
                              const DetectorSet& wanted = DetectorSet().set());

  /// What is in `text`, in the order of where it begins; none overlaps another. Good until the next
  /// call. `named`: what the name of the column says (topics_of). Fails when the text is too long,
  /// has too many candidates, or vectorscan fails: then nothing is known of it.
  /// `more`: the text goes on behind this, so that what reaches its end is not judged yet.
  Result<std::span<const Hit>> scan(std::string_view text, const Topics& named = {},
                                    bool more = false);

  /// Of the text that was scanned last: it has zeros or backslashes.
  bool special() const { return classes_.special; }

  const DetectorSet& wanted() const { return wanted_; }

  /// What a column's name says of its values: "date_of_birth" is Topic::birth.
  Result<Topics> topics_of(std::string_view column);

 private:
  friend class Finder;
  Scanner(Matcher matcher, const DetectorSet& wanted)
      : matcher_(std::move(matcher)), wanted_(wanted) {}

  Matcher matcher_;
  DetectorSet wanted_;
  // Kept from text to text for their memory.
  Classes classes_;
  std::vector<Match> matches_;
  std::vector<Match> words_;
  std::vector<Hit> hits_;
};

}  // namespace sallyport::mask
