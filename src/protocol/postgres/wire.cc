#include "protocol/postgres/wire.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/numbers.h"

namespace sallyport::postgres {
namespace {

constexpr std::uint32_t ssl_request_code = 80877103;
constexpr std::uint32_t gssenc_request_code = 80877104;
constexpr std::uint32_t cancel_request_code = 80877102;
constexpr std::size_t length_bytes = 4;
constexpr std::size_t startup_parameters_max = 64;

Result<StartupMessage> decode_parameters(std::uint32_t version, Bytes body) {
  StartupMessage message{.version = version, .parameters = {}};
  FieldReader reader(body);
  while (true) {
    const std::string_view name = reader.text();
    if (reader.failed()) return fail(Errc::malformed, "startup parameters do not end in a zero");
    if (name.empty()) break;
    const std::string_view value = reader.text();
    if (reader.failed()) return fail(Errc::malformed, "startup parameter without a value");
    if (!is_utf8(name) || !is_utf8(value)) {
      return fail(Errc::malformed, "startup parameter is not UTF-8");
    }
    // Two values of one name would let two readers see different sessions.
    if (message.find(name) != nullptr) {
      return fail(Errc::malformed, "startup parameter given twice: " + std::string(name));
    }
    if (message.parameters.size() == startup_parameters_max) {
      return fail(Errc::too_large, "more than 64 startup parameters");
    }
    message.parameters.emplace_back(name, value);
  }
  if (!reader.finished()) return fail(Errc::malformed, "bytes after the startup parameters");
  return message;
}

Result<Opening> decode_packet(std::uint32_t code, Bytes body) {
  switch (code) {
    case ssl_request_code:
      if (!body.empty()) return fail(Errc::malformed, "SSLRequest with a body");
      return SslRequest{};
    case gssenc_request_code:
      if (!body.empty()) return fail(Errc::malformed, "GSSENCRequest with a body");
      return GssEncRequest{};
    case cancel_request_code: {
      if (body.size() < 8 || body.size() > 4 + cancel_key_bytes_max) {
        return fail(Errc::malformed, "CancelRequest of an impossible length");
      }
      const Bytes key = body.subspan(4);
      return CancelRequest{.process_id = read_u32(body), .key = ByteVector(key.begin(), key.end())};
    }
    default:
      break;
  }
  if (code >> 16 != 3) {
    return fail(Errc::malformed, "not a PostgreSQL 3.x startup: code " + std::to_string(code));
  }
  auto startup = decode_parameters(code, body);
  if (!startup) return fail(startup);
  return *std::move(startup);
}

}  // namespace

const std::string* StartupMessage::find(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return &value;
  }
  return nullptr;
}

Result<std::optional<Opening>> decode_opening(Bytes packet, std::size_t& size) {
  if (packet.size() < length_bytes) return std::nullopt;
  const std::uint32_t length = read_u32(packet);
  if (length < 8) return fail(Errc::malformed, "startup packet shorter than its header");
  if (length > startup_bytes_max) {
    return fail(Errc::too_large, "startup packet of " + std::to_string(length) + " bytes");
  }
  if (packet.size() < length) return std::nullopt;
  size = length;
  auto opening = decode_packet(read_u32(packet.subspan(4)), packet.subspan(8, length - 8));
  if (!opening) return fail(opening);
  return *std::move(opening);
}

ByteVector encode_startup(const StartupMessage& message) {
  ByteVector out;
  append_u32(out, 0);
  append_u32(out, message.version);
  for (const auto& [name, value] : message.parameters) {
    append(out, name);
    out.push_back(std::byte{0});
    append(out, value);
    out.push_back(std::byte{0});
  }
  out.push_back(std::byte{0});
  SALLYPORT_CHECK(out.size() <= 0x7fffffff);
  const auto length = static_cast<std::uint32_t>(out.size());
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::byte>(length >> (24 - 8 * i));
  return out;
}

ByteVector encode_ssl_request() {
  ByteVector out;
  append_u32(out, 8);
  append_u32(out, ssl_request_code);
  return out;
}

ByteVector encode_cancel_request(const CancelRequest& cancel) {
  ByteVector out;
  append_u32(out, static_cast<std::uint32_t>(12 + cancel.key.size()));
  append_u32(out, cancel_request_code);
  append_u32(out, cancel.process_id);
  append(out, cancel.key);
  return out;
}

bool FieldReader::take(std::size_t size) {
  if (failed_ || rest_.size() < size) {
    failed_ = true;
    rest_ = {};
    return false;
  }
  return true;
}

std::uint8_t FieldReader::u8() {
  if (!take(1)) return 0;
  const auto value = std::to_integer<std::uint8_t>(rest_[0]);
  rest_ = rest_.subspan(1);
  return value;
}

std::uint16_t FieldReader::u16() {
  if (!take(2)) return 0;
  const std::uint16_t value = read_u16(rest_);
  rest_ = rest_.subspan(2);
  return value;
}

std::uint32_t FieldReader::u32() {
  if (!take(4)) return 0;
  const std::uint32_t value = read_u32(rest_);
  rest_ = rest_.subspan(4);
  return value;
}

std::string_view FieldReader::text() {
  if (failed_) return {};
  const std::string_view all = as_text(rest_);
  const std::size_t end = all.find('\0');
  if (end == std::string_view::npos) {
    take(rest_.size() + 1);  // fails
    return {};
  }
  rest_ = rest_.subspan(end + 1);
  return all.substr(0, end);
}

Bytes FieldReader::bytes(std::size_t size) {
  if (!take(size)) return {};
  const Bytes field = rest_.first(size);
  rest_ = rest_.subspan(size);
  return field;
}

Bytes FieldReader::rest() {
  return std::exchange(rest_, {});
}

Result<std::string_view> query_text(Bytes body) {
  FieldReader reader(body);
  const std::string_view sql = reader.text();
  // A second zero would let the server and the policy read two different queries.
  if (!reader.finished()) {
    return fail(Errc::malformed, "query text does not end in its only zero");
  }
  return sql;
}

Result<ParseBody> parse_body(Bytes body) {
  FieldReader reader(body);
  ParseBody parsed;
  parsed.name = reader.text();
  parsed.sql = reader.text();
  const std::uint16_t count = reader.u16();
  if (reader.failed() || body.size() < std::size_t{count} * 4) {
    return fail(Errc::malformed, "Parse message");
  }
  parsed.parameter_types.reserve(count);
  for (std::uint16_t i = 0; i < count; ++i) parsed.parameter_types.push_back(reader.u32());
  if (!reader.finished()) return fail(Errc::malformed, "Parse message");
  if (!is_utf8(parsed.name)) {
    return fail(Errc::malformed, "a statement's name is not UTF-8");
  }
  return parsed;
}

namespace {

/// A count and that many format codes, each 0 (text) or 1 (binary).
bool read_formats(FieldReader& reader, std::vector<std::uint16_t>& formats, std::size_t body_size) {
  const std::uint16_t count = reader.u16();
  if (reader.failed() || body_size < std::size_t{count} * 2) return false;
  formats.reserve(count);
  for (std::uint16_t i = 0; i < count; ++i) {
    formats.push_back(reader.u16());
    if (formats.back() > 1) return false;
  }
  return !reader.failed();
}

}  // namespace

bool BindBody::binary(std::size_t parameter) const {
  if (parameter_formats.empty()) return false;
  if (parameter_formats.size() == 1) return parameter_formats[0] == 1;
  return parameter < parameter_formats.size() && parameter_formats[parameter] == 1;
}

Result<BindBody> bind_body(Bytes body) {
  FieldReader reader(body);
  BindBody bound;
  bound.portal = reader.text();
  bound.statement = reader.text();
  if (!read_formats(reader, bound.parameter_formats, body.size())) {
    return fail(Errc::malformed, "Bind parameter formats");
  }
  const std::uint16_t count = reader.u16();
  if (reader.failed() || body.size() < std::size_t{count} * 4) {
    return fail(Errc::malformed, "Bind parameters");
  }
  if (bound.parameter_formats.size() > 1 && bound.parameter_formats.size() != count) {
    return fail(Errc::malformed, "Bind has formats for other parameters than it brings");
  }
  bound.parameters.reserve(count);
  for (std::uint16_t i = 0; i < count; ++i) {
    const std::uint32_t size = reader.u32();
    if (size == 0xffffffff) {
      bound.parameters.emplace_back(std::nullopt);
    } else {
      bound.parameters.emplace_back(reader.bytes(size));
    }
  }
  if (!read_formats(reader, bound.result_formats, body.size()) || !reader.finished()) {
    return fail(Errc::malformed, "Bind result formats");
  }
  if (!is_utf8(bound.portal) || !is_utf8(bound.statement)) {
    return fail(Errc::malformed, "Bind names are not UTF-8");
  }
  return bound;
}

bool FunctionCallBody::binary(std::size_t argument) const {
  if (argument_formats.empty()) return false;
  return argument_formats[argument_formats.size() == 1 ? 0 : argument] == 1;
}

Result<FunctionCallBody> function_call_body(Bytes body) {
  FieldReader reader(body);
  FunctionCallBody call;
  call.function = reader.u32();
  if (!read_formats(reader, call.argument_formats, body.size())) {
    return fail(Errc::malformed, "FunctionCall argument formats");
  }
  const std::uint16_t count = reader.u16();
  if (reader.failed() || body.size() < std::size_t{count} * 4) {
    return fail(Errc::malformed, "FunctionCall arguments");
  }
  if (call.argument_formats.size() > 1 && call.argument_formats.size() != count) {
    return fail(Errc::malformed, "FunctionCall has formats for other arguments than it brings");
  }
  call.arguments.reserve(count);
  for (std::uint16_t i = 0; i < count; ++i) {
    const std::uint32_t size = reader.u32();
    if (size == 0xffffffff) {
      call.arguments.emplace_back(std::nullopt);
    } else {
      call.arguments.emplace_back(reader.bytes(size));
    }
  }
  call.result_format = reader.u16();
  if (!reader.finished() || call.result_format > 1) {
    return fail(Errc::malformed, "FunctionCall message");
  }
  return call;
}

Result<void> check_function_result(Bytes body) {
  FieldReader reader(body);
  const std::uint32_t size = reader.u32();
  if (size != 0xffffffff) reader.bytes(size);
  if (!reader.finished()) return fail(Errc::malformed, "FunctionCallResponse message");
  return ok();
}

Result<ExecuteBody> execute_body(Bytes body) {
  FieldReader reader(body);
  ExecuteBody execute;
  execute.portal = reader.text();
  execute.rows_max = reader.u32();
  if (!reader.finished()) return fail(Errc::malformed, "Execute message");
  return execute;
}

Result<NameBody> name_body(Bytes body) {
  FieldReader reader(body);
  NameBody named;
  named.kind = static_cast<char>(reader.u8());
  named.name = reader.text();
  if (!reader.finished() || (named.kind != 'S' && named.kind != 'P')) {
    return fail(Errc::malformed, "Describe or Close message");
  }
  return named;
}

Result<StatusBody> parameter_status_body(Bytes body) {
  FieldReader reader(body);
  StatusBody status;
  status.name = reader.text();
  status.value = reader.text();
  if (!reader.finished()) return fail(Errc::malformed, "ParameterStatus message");
  return status;
}

Result<KeyBody> key_data_body(Bytes body) {
  FieldReader reader(body);
  KeyBody key;
  key.process_id = reader.u32();
  key.key = reader.rest();
  if (reader.failed() || key.key.size() < 4 || key.key.size() > cancel_key_bytes_max) {
    return fail(Errc::malformed, "BackendKeyData message");
  }
  return key;
}

Result<std::vector<std::pair<char, std::string_view>>> error_fields(Bytes body) {
  FieldReader reader(body);
  std::vector<std::pair<char, std::string_view>> fields;
  while (true) {
    const char code = static_cast<char>(reader.u8());
    if (reader.failed()) return fail(Errc::malformed, "error fields do not end in a zero");
    if (code == 0) break;
    const std::string_view value = reader.text();
    if (reader.failed() || fields.size() == 64) return fail(Errc::malformed, "error fields");
    fields.emplace_back(code, value);
  }
  if (!reader.finished()) return fail(Errc::malformed, "bytes after the error fields");
  return fields;
}

Result<std::uint16_t> data_row_fields(Bytes body) {
  FieldReader reader(body);
  const std::uint16_t count = reader.u16();
  for (std::uint16_t i = 0; i < count && !reader.failed(); ++i) {
    const std::uint32_t size = reader.u32();
    if (size != 0xffffffff) reader.bytes(size);
  }
  if (!reader.finished()) return fail(Errc::malformed, "DataRow fields do not fill it");
  return count;
}

bool RowCheck::feed(Bytes piece) {
  while (!piece.empty()) {
    if (value_left_ > 0) {
      const std::size_t size = std::min(value_left_, piece.size());
      value_left_ -= size;
      piece = piece.subspan(size);
      continue;
    }
    if (columns_ && fields_ == *columns_) return false;  // bytes behind the last field
    number_ = number_ << 8 | std::to_integer<std::uint32_t>(piece[0]);
    piece = piece.subspan(1);
    if (--number_missing_ > 0) continue;
    if (!columns_) {
      columns_ = static_cast<std::uint16_t>(number_);
    } else {
      ++fields_;
      if (number_ != 0xffffffff) value_left_ = number_;
    }
    number_ = 0;
    number_missing_ = 4;
  }
  return true;
}

Result<std::uint16_t> RowCheck::finish() const {
  if (!columns_ || fields_ != *columns_ || value_left_ > 0) {
    return fail(Errc::malformed, "DataRow fields do not fill it");
  }
  return *columns_;
}

Result<void> check_parameter_description(Bytes body) {
  FieldReader reader(body);
  reader.bytes(std::size_t{reader.u16()} * 4);
  if (!reader.finished()) return fail(Errc::malformed, "ParameterDescription message");
  return ok();
}

Result<void> check_notification(Bytes body) {
  FieldReader reader(body);
  reader.u32();  // the process that sent it
  reader.text();
  reader.text();
  if (!reader.finished()) return fail(Errc::malformed, "NotificationResponse message");
  return ok();
}

Result<void> check_copy_response(Bytes body) {
  FieldReader reader(body);
  const std::uint8_t format = reader.u8();
  reader.bytes(std::size_t{reader.u16()} * 2);
  if (!reader.finished() || format > 1) return fail(Errc::malformed, "CopyResponse message");
  return ok();
}

Result<std::uint16_t> row_description_fields(Bytes body) {
  FieldReader reader(body);
  const std::uint16_t count = reader.u16();
  for (std::uint16_t i = 0; i < count && !reader.failed(); ++i) {
    reader.text();
    reader.bytes(18);  // table, column, type, its size and modifier, format
  }
  if (!reader.finished()) return fail(Errc::malformed, "RowDescription fields do not fill it");
  return count;
}

std::uint64_t rows_of_tag(std::string_view tag) {
  const std::size_t space = tag.rfind(' ');
  if (space == std::string_view::npos) return 0;
  return parse_number<std::uint64_t>(tag.substr(space + 1)).value_or(0);
}

MessageBuilder::MessageBuilder(ByteVector& out, char type) : out_(out) {
  const std::array<std::byte, 5> header{static_cast<std::byte>(type)};
  append(out_, header);
  length_at_ = out_.size() - 4;
}

MessageBuilder::~MessageBuilder() {
  const std::size_t size = out_.size() - length_at_;
  // A length that wraps would let a peer read the rest as messages of its own.
  SALLYPORT_CHECK(size <= 0x7fffffff);
  for (std::size_t i = 0; i < 4; ++i) {
    out_[length_at_ + i] = static_cast<std::byte>(size >> (24 - 8 * i) & 0xff);
  }
}

MessageBuilder& MessageBuilder::u8(std::uint8_t value) {
  out_.push_back(static_cast<std::byte>(value));
  return *this;
}
MessageBuilder& MessageBuilder::u16(std::uint16_t value) {
  append_u16(out_, value);
  return *this;
}
MessageBuilder& MessageBuilder::u32(std::uint32_t value) {
  append_u32(out_, value);
  return *this;
}
MessageBuilder& MessageBuilder::text(std::string_view value) {
  append(out_, value.substr(0, value.find('\0')));
  out_.push_back(std::byte{0});
  return *this;
}
MessageBuilder& MessageBuilder::bytes(Bytes value) {
  append(out_, value);
  return *this;
}

namespace {

void append_texts(ByteVector& out, char type, const ErrorText& error, std::uint32_t position) {
  MessageBuilder builder(out, type);
  const auto field = [&](char code, std::string_view value) {
    if (!value.empty()) builder.u8(static_cast<std::uint8_t>(code)).text(value);
  };
  field('S', error.severity);
  field('V', error.severity);
  field('C', error.sqlstate);
  field('M', error.message);
  field('D', error.detail);
  field('H', error.hint);
  if (position > 0) field('P', std::to_string(position));
  builder.u8(0);
}

}  // namespace

void append_error(ByteVector& out, const ErrorText& error, std::uint32_t position) {
  append_texts(out, backend::error, error, position);
}

void append_notice(ByteVector& out, const ErrorText& notice) {
  append_texts(out, backend::notice, notice, 0);
}

void append_ready(ByteVector& out, char transaction_status) {
  MessageBuilder(out, backend::ready).u8(static_cast<std::uint8_t>(transaction_status));
}

void append_parameter_status(ByteVector& out, std::string_view name, std::string_view value) {
  MessageBuilder(out, backend::parameter_status).text(name).text(value);
}

void append_query(ByteVector& out, std::string_view sql) {
  MessageBuilder(out, frontend::query).text(sql);
}

void append_function_call(ByteVector& out, Bytes body) {
  MessageBuilder(out, frontend::function_call).bytes(body);
}

void append_parse(ByteVector& out, std::string_view name, std::string_view sql,
                  const std::vector<std::uint32_t>& parameter_types) {
  MessageBuilder builder(out, frontend::parse);
  builder.text(name).text(sql).u16(static_cast<std::uint16_t>(parameter_types.size()));
  for (const std::uint32_t type : parameter_types) builder.u32(type);
}

}  // namespace sallyport::postgres
