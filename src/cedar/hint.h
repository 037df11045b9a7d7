#pragma once
// "Did you mean": the known word that is nearest to one that is not known.

#include <string>
#include <string_view>
#include <vector>

namespace sallyport::cedar {

/// The nearest of `known` by edits, or empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string_view>& known);

/// "did you mean X?", or empty.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace sallyport::cedar
