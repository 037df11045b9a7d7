#pragma once
// Where the name of a relation stands in a text, in tokens. Only for splicing: whatever is found
// here is parsed again and compared, so a mistake is a refusal and never another meaning.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport::postgres::sql {

struct NameSpan {
  std::size_t begin = 0;  // ONLY belongs to it
  std::size_t end = 0;    // behind the last token of the name, `*` and parentheses
  /// TABLE name, which is SELECT * FROM name: where TABLE begins.
  std::optional<std::size_t> table;
  std::size_t columns_end = 0;  // behind "(a, b)", if that follows, else `end`
};

/// The name that begins at `location`.
std::optional<NameSpan> name_span(std::string_view sql, std::size_t location);

/// Of the dotted name at `location`: where its part number `part` begins.
std::optional<std::size_t> part_begin(std::string_view sql, std::size_t location, std::size_t part);

/// The words and symbols of a text, one after the other: names folded and unquoted, symbols as they
/// are, "'" for a text. nullopt: it has names that are written with escapes.
std::optional<std::vector<std::string>> words_of(std::string_view sql);

}  // namespace sallyport::postgres::sql
