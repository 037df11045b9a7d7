// What a server says, on its way to a client for whom something is masked or filtered: the second
// look at every description of rows, and errors and notices without the values that are in them.

#include <algorithm>

#include "protocol/postgres/client_side.h"
#include "protocol/postgres/conversation.h"
#include "protocol/postgres/guarded_errors.h"

namespace sallyport::postgres {
namespace {

bool writes(const sql::Statement& statement) {
  return !statement.read_only || std::ranges::any_of(statement.nested, writes);
}

/// A name that the catalog has and the server has not, or the other way round.
bool may_be_old_names(std::string_view sqlstate) {
  return sqlstate == "42P01" || sqlstate == "42703" || sqlstate == "42883" || sqlstate == "42704" ||
         sqlstate == "3F000";
}

void append_fields(ByteVector& out, char type,
                   const std::vector<std::pair<char, std::string>>& fields) {
  MessageBuilder builder(out, type);
  for (const auto& [code, value] : fields) {
    builder.u8(static_cast<std::uint8_t>(code)).text(value);
  }
  builder.u8(0);
}

}  // namespace

/// A column of a result that comes as it is out of one that is masked for this session.
bool Conversation::shows_hidden(const Shield* shield, Bytes row_description) {
  if (shield == nullptr) return false;
  FieldReader reader(row_description);
  const std::uint16_t count = reader.u16();
  for (std::uint16_t i = 0; i < count && !reader.failed(); ++i) {
    const std::string name(reader.text());
    const std::uint32_t table = reader.u32();
    const auto column = static_cast<std::int16_t>(reader.u16());
    reader.bytes(12);  // type, its size and modifier, format
    if (table == 0 || !masking_.hides(session_, *shield, {table, column})) continue;
    guard_.alert(session_, "a masked column was about to be shown",
                 "column " + std::to_string(column) + " of relation " + std::to_string(table) +
                     " as \"" + name + "\"");
    return true;
  }
  return false;
}

Result<void> Conversation::alarm() {
  end("alert", "58000", "the answer would have shown a masked column, so this session ends");
  return ok();
}

void Conversation::error_to_client(const Message& message, const sql::Analysis* analysis) {
  if (!guarded_) return pass_to_client(message);
  const auto fields = error_fields(message.body);
  if (!fields) return;  // it was checked by who got it
  const bool changes = analysis == nullptr || std::ranges::any_of(analysis->statements, writes);
  const auto told = told_error(*fields, changes);
  append_fields(client_out_.end(), backend::error, told);
  if (may_be_old_names(sqlstate_of(message.body)) && target_ != nullptr) {
    catalogs_.doubted(target_, session_.database);
  }
}

/// True: that was all of it.
bool Conversation::notice_to_client(const Message& message) {
  if (!guarded_) return false;
  if (const auto fields = error_fields(message.body)) {
    if (const auto told = told_notice(*fields))
      append_fields(client_out_.end(), backend::notice, *told);
  }
  return true;
}

}  // namespace sallyport::postgres
