#pragma once
// PostgreSQL's own grammar (libpg_query 18), run in a WebAssembly sandbox that was translated to C.
// Text goes in, the tree comes out as JSON. Nothing is understood here: that is analysis.h.
// One Parser belongs to one thread.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport::postgres::sql {

struct ParserLimits {
  /// Longer statements are refused before the sandbox sees them.
  std::size_t statement_bytes_max = std::size_t{1} << 20;
  /// Linear memory of the sandbox. What needs more ends as an error.
  std::size_t memory_bytes_max = std::size_t{512} << 20;
  /// A longer tree is refused: what a statement may cost the gateway itself.
  std::size_t tree_bytes_max = std::size_t{64} << 20;
  /// After a longer tree the sandbox is made anew, so that its memory is given back.
  std::size_t tree_kept_bytes_max = std::size_t{2} << 20;
  /// Native stack the sandbox may use below its caller's frame. A thread that parses needs this
  /// much and 256 KiB to spare.
  std::size_t stack_bytes_max = std::size_t{2} << 20;
  /// CPU time of one call. PostgreSQL's scanner is quadratic in unterminated nested comments.
  unsigned cpu_ms_max = 1000;
};

/// A tree, or PostgreSQL's own complaint about the text.
struct ParseResult {
  /// JSON as libpg_query writes it, followed by zero bytes that a SIMD reader may touch. Valid
  /// until the next call of the same Parser.
  std::string_view tree;

  bool rejected = false;       // the text is not SQL that this grammar knows
  std::string message;         // PostgreSQL's own words: syntax error at or near "x"
  std::uint32_t position = 0;  // 1-based, in characters as PostgreSQL counts; 0: not said
};

class Parser {
 public:
  static Result<std::unique_ptr<Parser>> make(const ParserLimits& limits = {});
  ~Parser();
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// Parses a string of zero or more statements. The text must be UTF-8 without NUL. Errors are the
  /// sandbox's: text too large, nesting too deep, out of memory; after any of them the sandbox is
  /// as new and the next call works.
  Result<ParseResult> parse(std::string_view sql);

  /// Linear memory in use now, for tests and metrics.
  std::size_t memory_bytes() const;
  /// How often the sandbox was made anew after a trap or to give memory back.
  std::uint64_t resets() const;
  const ParserLimits& limits() const;

 private:
  struct Sandbox;
  explicit Parser(std::unique_ptr<Sandbox> sandbox);
  std::unique_ptr<Sandbox> sandbox_;
};

}  // namespace sallyport::postgres::sql
