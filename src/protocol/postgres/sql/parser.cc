#include "protocol/postgres/sql/parser.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "protocol/postgres/sql/sandbox/sandbox.h"

namespace sallyport::postgres::sql {

namespace {

/// simdjson reads this far beyond the end.
constexpr std::size_t kPaddingBytes = 64;
/// Whatever a shorter text says, it is parsed within some 50 ms.
constexpr std::size_t kTimedBytesMin = 8 << 10;

struct FreeSandbox {
  void operator()(::Sandbox* sandbox) const { sandbox_free(sandbox); }
};
using SandboxPtr = std::unique_ptr<::Sandbox, FreeSandbox>;

}  // namespace

struct Parser::Sandbox {
  ParserLimits limits;
  SandboxPtr running;
  std::vector<char> tree;
  std::uint64_t resets = 0;

  bool start() {
    running.reset();
    const SandboxLimits own{.memory_bytes_max = limits.memory_bytes_max,
                            .stack_bytes_max = limits.stack_bytes_max,
                            .cpu_ms_max = limits.cpu_ms_max,
                            .timed_bytes_min = kTimedBytesMin};
    running.reset(sandbox_make(&own));
    return running != nullptr;
  }

  void restart() {
    ++resets;
    start();  // on failure parse() tries again and reports it
  }
};

Result<std::unique_ptr<Parser>> Parser::make(const ParserLimits& limits) {
  auto sandbox = std::make_unique<Sandbox>();
  sandbox->limits = limits;
  if (!sandbox->start()) {
    return fail(Errc::unavailable, "no memory for the SQL parser (it reserves 8 GiB of addresses)");
  }
  return std::unique_ptr<Parser>(new Parser(std::move(sandbox)));
}

Parser::Parser(std::unique_ptr<Sandbox> sandbox) : sandbox_(std::move(sandbox)) {}
Parser::~Parser() = default;

Result<ParseResult> Parser::parse(std::string_view sql) {
  Sandbox& own = *sandbox_;
  if (sql.size() > own.limits.statement_bytes_max) {
    return fail(Errc::too_large, "statement of " + std::to_string(sql.size()) +
                                     " bytes is above the limit of " +
                                     std::to_string(own.limits.statement_bytes_max));
  }
  if (sql.find('\0') != std::string_view::npos) {
    return fail(Errc::malformed, "statement contains a zero byte");
  }
  if (!is_utf8(sql)) return fail(Errc::malformed, "statement is not UTF-8");
  if (!own.running && !own.start()) {
    return fail(Errc::unavailable, "no memory for the SQL parser");
  }

  const SandboxResult raw = sandbox_parse(own.running.get(), sql.data(), sql.size());
  if (raw.outcome == SANDBOX_TRAPPED) {
    std::string why(raw.text);
    own.restart();
    return fail(Errc::too_large, "the statement cannot be analysed: " + why);
  }
  ParseResult result;
  const bool too_large = raw.length > own.limits.tree_bytes_max;
  bool too_deep = false;
  if (raw.outcome == SANDBOX_REJECTED) {
    // Bison's word for a stack of its own that is full: no fault of the text's grammar.
    too_deep = std::string_view(raw.text, raw.length).starts_with("memory exhausted");
    result.rejected = true;
    result.message.assign(raw.text, raw.length);
    result.position = raw.position;
  } else if (!too_large) {
    own.tree.resize(raw.length + kPaddingBytes);
    std::copy_n(raw.text, raw.length, own.tree.data());
    std::fill_n(own.tree.data() + raw.length, kPaddingBytes, '\0');
    result.tree = {own.tree.data(), raw.length};
  }
  if (raw.length > own.limits.tree_kept_bytes_max || !sandbox_release(own.running.get())) {
    own.restart();
  } else if (own.tree.capacity() > own.limits.tree_kept_bytes_max + kPaddingBytes &&
             result.tree.size() < own.tree.capacity() / 4) {
    own.tree.shrink_to_fit();
    if (!result.rejected) result.tree = {own.tree.data(), result.tree.size()};
  }
  if (too_large) return fail(Errc::too_large, "the statement cannot be analysed: too complex");
  if (too_deep) {
    return fail(Errc::too_large, "the statement cannot be analysed: nested too deeply");
  }
  return result;
}

std::size_t Parser::memory_bytes() const {
  return sandbox_->running ? sandbox_memory_bytes(sandbox_->running.get()) : 0;
}

std::uint64_t Parser::resets() const {
  return sandbox_->resets;
}
const ParserLimits& Parser::limits() const {
  return sandbox_->limits;
}

}  // namespace sallyport::postgres::sql
