// Reads what a database defines over a connection of the gateway's own: a fixed list of queries
// (catalog/load.h), in one transaction that reads only and takes no lock that anybody waits for.

#include <algorithm>
#include <charconv>

#include "net/helpers.h"
#include "net/reactor.h"
#include "protocol/postgres/catalog/load.h"
#include "protocol/postgres/upstream.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t row_bytes_max = std::size_t{8} << 20;
constexpr std::size_t rows_per_turn = 500;

int major_of(const std::vector<std::pair<std::string, std::string>>& parameters) {
  for (const auto& [name, value] : parameters) {
    int major = 0;
    if (name == "server_version") std::from_chars(value.data(), value.data() + value.size(), major);
    if (major > 0) return major;
  }
  return 0;
}

/// The fields of a DataRow, all text.
Result<std::vector<std::optional<std::string_view>>> fields_of(Bytes body) {
  FieldReader reader(body);
  const std::uint16_t count = reader.u16();
  std::vector<std::optional<std::string_view>> fields;
  for (std::uint16_t i = 0; i < count && !reader.failed(); ++i) {
    const std::uint32_t size = reader.u32();
    if (size == 0xFFFFFFFF) {
      fields.emplace_back(std::nullopt);
    } else {
      fields.emplace_back(as_text(reader.bytes(size)));
    }
  }
  if (!reader.finished()) return fail(Errc::malformed, "a row whose fields do not fit it");
  return fields;
}

}  // namespace

Task<Result<void>> Upstream::own_statement(std::string_view sql, std::string_view tag) {
  std::size_t asides = 0;
  append_query(out_, sql);
  if (auto sent = co_await flush(); !sent) co_return fail(sent);
  auto done = co_await own_answer(asides);
  if (!done) co_return fail(done);
  if (done->type == backend::error) {
    co_return fail(Errc::unavailable, "the target refused: " + describe_error(done->body));
  }
  FieldReader reader(done->body);
  if (done->type != backend::command_complete || reader.text() != tag) {
    co_return fail(Errc::malformed, "the target did not answer " + std::string(tag));
  }
  auto ready = co_await own_answer(asides);
  if (!ready) co_return fail(ready);
  if (ready->type != backend::ready) {
    co_return fail(Errc::malformed, "the target did not get ready");
  }
  co_return ok();
}

Task<Result<void>> Upstream::own_rows(std::string_view sql,
                                      const std::function<Result<void>(Bytes)>& row) {
  std::size_t asides = 0;
  append_query(out_, sql);
  if (auto sent = co_await flush(); !sent) co_return fail(sent);
  ByteVector gathered;  // of a row that comes in pieces
  std::size_t rows = 0;
  bool described = false;
  while (true) {
    auto message = co_await own_answer(asides);
    if (!message) co_return fail(message);
    if (message->type == backend::data_row) {
      if (message->first && message->last) {
        if (auto taken = row(message->body); !taken) co_return fail(taken);
      } else {
        if (message->first) gathered.clear();
        append(gathered, message->body);
        if (gathered.size() > row_bytes_max) {
          co_return fail(Errc::too_large, "one definition alone is longer than 8 MiB");
        }
        if (message->last) {
          if (auto taken = row(gathered); !taken) co_return fail(taken);
        }
      }
      if (++rows % rows_per_turn == 0) co_await net::Reactor::current().yield();
    } else if (message->type == backend::row_description && !described) {
      described = true;
    } else if (message->type == backend::command_complete) {
      break;
    } else if (message->type == backend::error) {
      co_return fail(Errc::unavailable, "the target refused: " + describe_error(message->body));
    } else {
      co_return fail(Errc::malformed, std::string("the target sent '") + message->type + "'");
    }
  }
  auto ready = co_await own_answer(asides);
  if (!ready) co_return fail(ready);
  if (ready->type != backend::ready)
    co_return fail(Errc::malformed, "the target did not get ready");
  co_return ok();
}

Task<Result<std::shared_ptr<const catalog::Catalog>>> Upstream::read_catalog(const Permit&,
                                                                             std::uint64_t epoch,
                                                                             SteadyTime deadline) {
  stream_->set_read_deadline(deadline);
  stream_->set_write_deadline(deadline);
  // The operator's own search_path and timeouts are for sessions.
  static constexpr std::pair<std::string_view, std::string_view> before[] = {
      {"SET search_path = ''", "SET"},
      {"SET statement_timeout = '60s'", "SET"},
      {"SET lock_timeout = '3s'", "SET"},
      {"BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN"}};
  for (const auto& [sql, tag] : before) {
    if (auto done = co_await own_statement(sql, tag); !done) co_return fail(done);
  }
  const int major = major_of(*parameters_);
  auto loader = std::make_shared<catalog::Loader>(major, target_->user);
  const auto queries = catalog::load_queries(major);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    auto read = co_await own_rows(queries[i], [&](Bytes body) -> Result<void> {
      auto fields = fields_of(body);
      if (!fields) return fail(fields);
      return loader->row(i, *fields);
    });
    if (!read) co_return fail(read, "reading the catalog");
  }
  if (auto done = co_await own_statement("COMMIT", "COMMIT"); !done) co_return fail(done);
  // Sorting what a hundred thousand tables define takes a while.
  auto made = co_await net::on_helper([loader, epoch] { return loader->finish(epoch); });
  if (!made) co_return fail(made);
  co_return std::move(*made);
}

}  // namespace sallyport::postgres
