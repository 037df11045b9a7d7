#pragma once
// The shape of a statement: its tokens without the values of its literals and comments. Two texts
// of one shape have one tree but for constants. A small lexer of our own with PostgreSQL's rules;
// where it is in any doubt there is no shape, and the caller parses.
// Valid only while standard_conforming_strings is on and the client's encoding is UTF-8.

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "protocol/postgres/sql/analysis.h"

namespace sallyport::postgres::sql {

/// nullopt: no shape (unusual text, or longer than 64 KiB).
std::optional<std::string> shape_of(std::string_view sql);

/// SHA-256 of the shape, or of the text that has none, hex.
std::string fingerprint_of(std::string_view sql, const std::optional<std::string>& shape);

/// Texts of one shape have this analysis in common, but for where statements are. Only the kinds of
/// statements that come in thousands are kept.
bool may_be_kept(const Analysis& analysis);

/// Analyses by shape, least recently used out first. Shapes are compared, not only hashed. Belongs
/// to one thread.
class ShapeCache {
 public:
  /// `bytes_max` bounds what is kept, about, `entries_max` the number.
  explicit ShapeCache(std::size_t entries_max = 4096,
                      std::size_t bytes_max = std::size_t{16} << 20);

  /// The analysis of `sql`, from the cache or by parsing. Offsets and lengths of statements are
  /// those of the text that made the entry: use them only where there is one statement.
  Result<std::shared_ptr<const Analysis>> analyse(Parser& parser, std::string_view sql);

  std::size_t size() const { return entries_.size(); }
  std::uint64_t hits() const { return hits_; }
  std::uint64_t misses() const { return misses_; }

 private:
  struct Entry {
    std::string shape;
    std::shared_ptr<const Analysis> analysis;
    std::size_t bytes = 0;
  };
  void keep(std::string shape, std::shared_ptr<const Analysis> analysis);

  std::size_t entries_max_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_shape_;
};

}  // namespace sallyport::postgres::sql
