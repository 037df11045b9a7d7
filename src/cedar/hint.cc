#include "cedar/hint.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace sallyport::cedar {
namespace {

constexpr std::size_t word_bytes_max = 64;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The edits between two words (Levenshtein); a letter's case alone is none.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string_view>& known) {
  if (word.empty() || word.size() > word_bytes_max) return {};
  // A word of which half would change is another word.
  std::size_t best_distance = std::min<std::size_t>(4, word.size() / 2 + 1);
  std::string_view best;
  for (const std::string_view candidate : known) {
    if (candidate.size() > word_bytes_max || candidate == word) continue;
    const std::size_t edits = distance(word, candidate);
    if (edits >= best_distance) continue;
    best = candidate;
    best_distance = edits;
  }
  return std::string(best);
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known) {
  const std::string best = nearest(word, known);
  return best.empty() ? best : fmt::format("did you mean {}?", best);
}

}  // namespace sallyport::cedar
