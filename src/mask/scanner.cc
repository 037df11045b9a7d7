#include "mask/scanner.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "mask/finder.h"

namespace sallyport::mask {

Result<Scanner> Scanner::make(std::shared_ptr<const Patterns> patterns, const DetectorSet& wanted) {
  auto matcher = Matcher::make(std::move(patterns));
  if (!matcher) return fail(matcher);
  return Scanner(*std::move(matcher), wanted);
}

Result<std::span<const Hit>> Scanner::scan(std::string_view text, const Topics& named, bool more) {
  if (text.size() > text_bytes_max) return fail(Errc::too_large, "a text above the window");
  hits_.clear();
  auto found = Finder(*this, text, named, more).run();
  if (!found) return fail(found);
  return hits_;
}

Result<Topics> Scanner::topics_of(std::string_view column) {
  words_.clear();
  Topics topics;
  column = column.substr(0, before_bytes_max);
  if (auto found = matcher_.topics(column, candidates_max, words_); !found) return fail(found);
  for (const Match& match : words_) {
    const TopicWord& word = topic_words()[match.id];
    if (stands_alone(column, word.word, match.end)) {
      topics.set(static_cast<std::size_t>(word.topic));
    }
  }
  return topics;
}

bool stands_alone(std::string_view text, std::string_view word, std::size_t end) {
  const std::size_t begin = end - word.size();
  if (begin > 0 && is_alnum(text[begin - 1]) &&
      (is_upper(text[begin - 1]) || !is_upper(text[begin]))) {
    return false;
  }
  if (end < text.size() && (text[end] | 0x20) == 's') ++end;  // the plural
  if (end == text.size() || !is_letter(text[end])) return true;
  return is_upper(text[end]) && !is_upper(text[end - 1]);  // birthDate
}

Result<void> Finder::run() {
  Classes& classes = scanner_.classes_;
  classes.read(text_);
  const bool numbers_possible =
      classes.digits >= 5 || (classes.digits >= 4 && (classes.dots >= 3 || classes.long_upper));
  if (classes.at) addresses();
  if (numbers_possible) numbers();
  if (classes.long_upper && classes.name) upper_words();
  if (classes.colons >= 2 || classes.dashes >= 5 || (classes.dots >= 2 && classes.digits >= 1)) {
    colons();
  }
  if (classes.long_word ||
      (classes.name && (classes.equals || classes.colons > 0 || classes.dashes >= 5))) {
    if (auto found = secrets(); !found) return found;
  }
  if (!failed_) return failed_;
  if (!scanner_.hits_.empty()) settle();
  return ok();
}

void Finder::add(Detector detector, std::size_t begin, std::size_t end, bool open) {
  if (!wants(detector)) return;
  scanner_.hits_.push_back(
      {detector, open, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
}

bool Finder::about(const Topics& topics, std::size_t begin, std::size_t end) {
  if ((named_ & topics).any()) return true;
  std::vector<Match>& words = scanner_.words_;
  if (!words_known_) {
    words_known_ = true;
    words.clear();
    if (!classes_.name) return false;
    auto found = scanner_.matcher_.topics(text_, candidates_max, words);
    if (!found) failed_ = found;
    std::erase_if(words, [&](const Match& match) {
      return !stands_alone(text_, topic_words()[match.id].word, match.end);
    });
    std::ranges::sort(words, {}, &Match::end);
  }
  const std::size_t from = begin > before_bytes_max ? begin - before_bytes_max : 0;
  const auto first = std::ranges::lower_bound(words, from, {}, &Match::end);
  for (auto word = first; word != words.end() && word->end <= end + behind_bytes_max; ++word) {
    if (topics[static_cast<std::size_t>(topic_words()[word->id].topic)]) return true;
  }
  return false;
}

namespace {

/// Says less of what was found than others do.
bool vague(Detector detector) {
  using enum Detector;
  return detector == password || detector == bearer_token || detector == phone ||
         detector == drivers_license || detector == passport || detector == email;
}

}  // namespace

/// In order, and what overlaps is one.
void Finder::settle() {
  std::vector<Hit>& hits = scanner_.hits_;
  std::ranges::sort(hits, [](const Hit& a, const Hit& b) {
    return std::tuple(a.begin, b.end, a.detector) < std::tuple(b.begin, a.end, b.detector);
  });
  std::size_t kept = 0;
  for (const Hit& hit : hits) {
    if (kept > 0 && hit.begin < hits[kept - 1].end) {
      Hit& one = hits[kept - 1];
      one.end = std::max(one.end, hit.end);
      one.open = one.open || hit.open;
      if (vague(one.detector) && !vague(hit.detector)) one.detector = hit.detector;
      continue;
    }
    hits[kept++] = hit;
  }
  hits.resize(kept);
}

}  // namespace sallyport::mask
