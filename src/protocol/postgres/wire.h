#pragma once
// PostgreSQL wire format, protocol 3.0 and 3.2 (PostgreSQL documentation, "Frontend/Backend
// Protocol"). Bytes in, messages out; no I/O, so a test or a fuzzer can drive it with an array.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace sallyport::postgres {

// ---- Before the startup message ----------------------------------------------------------------

constexpr std::uint32_t protocol_3_0 = 3u << 16;
constexpr std::uint32_t protocol_3_2 = 3u << 16 | 2;
constexpr std::size_t startup_bytes_max = 10'000;  // PostgreSQL's own limit
constexpr std::size_t cancel_key_bytes_max = 256;  // protocol 3.2

struct SslRequest {};
struct GssEncRequest {};
struct CancelRequest {
  std::uint32_t process_id = 0;
  ByteVector key;
};
struct StartupMessage {
  std::uint32_t version = protocol_3_0;
  std::vector<std::pair<std::string, std::string>> parameters;  // in order, names unique

  const std::string* find(std::string_view name) const;
};
using Opening = std::variant<SslRequest, GssEncRequest, CancelRequest, StartupMessage>;

/// The first packet of a connection: `packet` begins with its length. nullopt if more bytes are
/// needed. Says in `size` how many bytes it took.
Result<std::optional<Opening>> decode_opening(Bytes packet, std::size_t& size);

ByteVector encode_startup(const StartupMessage& message);
ByteVector encode_ssl_request();
ByteVector encode_cancel_request(const CancelRequest& cancel);

// ---- After it ----------------------------------------------------------------------------------

/// Message types as the client sends them.
namespace frontend {
constexpr char bind = 'B', close = 'C', copy_data = 'd', copy_done = 'c', copy_fail = 'f',
               describe = 'D', execute = 'E', flush = 'H', function_call = 'F', parse = 'P',
               password = 'p', query = 'Q', sync = 'S', terminate = 'X';
}
/// Message types as the server sends them.
namespace backend {
constexpr char authentication = 'R', key_data = 'K', bind_complete = '2', close_complete = '3',
               command_complete = 'C', copy_data = 'd', copy_done = 'c', copy_in = 'G',
               copy_out = 'H', copy_both = 'W', data_row = 'D', empty_query = 'I', error = 'E',
               function_result = 'V', negotiate_version = 'v', no_data = 'n', notice = 'N',
               notification = 'A', parameter_description = 't', parameter_status = 'S',
               parse_complete = '1', portal_suspended = 's', ready = 'Z', row_description = 'T';
}

/// One message, or one piece of a long DataRow or CopyData that is passed on as it comes. The
/// spans point into the reader's buffer and are good until its next fill().
struct Message {
  char type = 0;
  Bytes raw;               // header and body as they came; of a later piece, only body bytes
  Bytes body;              // without the header
  bool first = true;       // carries the header
  bool last = true;        // ends the message
  bool discarded = false;  // it is above its limit: its body is thrown away as it arrives
};

constexpr std::size_t header_bytes = 5;  // type, then a length that counts itself

// ---- Bodies ------------------------------------------------------------------------------------

/// Reads fields off the front of a body. Every getter fails once a field does not fit; finished()
/// says that nothing failed and nothing is left over.
class FieldReader {
 public:
  explicit FieldReader(Bytes body) : rest_(body) {}

  std::uint8_t u8();
  std::uint16_t u16();
  std::uint32_t u32();
  std::string_view text();  // zero-terminated
  Bytes bytes(std::size_t size);
  Bytes rest();

  bool failed() const { return failed_; }
  bool finished() const { return !failed_ && rest_.empty(); }

 private:
  bool take(std::size_t size);

  Bytes rest_;
  bool failed_ = false;
};

/// The text of a Query message, with no zero inside. Whether it is UTF-8 is for the caller to
/// check, as for the text of a Parse: the session survives one that is not.
Result<std::string_view> query_text(Bytes body);

struct ParseBody {
  std::string_view name;
  std::string_view sql;
  std::vector<std::uint32_t> parameter_types;
};
Result<ParseBody> parse_body(Bytes body);

struct BindBody {
  std::string_view portal;
  std::string_view statement;
  std::vector<std::uint16_t> parameter_formats;
  std::vector<std::optional<Bytes>> parameters;  // nullopt is NULL
  std::vector<std::uint16_t> result_formats;

  bool binary(std::size_t parameter) const;
};
Result<BindBody> bind_body(Bytes body);

/// FunctionCall: a function by its number, as libpq's and JDBC's large objects are called.
struct FunctionCallBody {
  std::uint32_t function = 0;
  std::vector<std::uint16_t> argument_formats;
  std::vector<std::optional<Bytes>> arguments;  // nullopt is NULL
  std::uint16_t result_format = 0;

  bool binary(std::size_t argument) const;
};
Result<FunctionCallBody> function_call_body(Bytes body);
/// FunctionCallResponse: NULL, or one value.
Result<void> check_function_result(Bytes body);

struct ExecuteBody {
  std::string_view portal;
  std::uint32_t rows_max = 0;  // 0: all
};
Result<ExecuteBody> execute_body(Bytes body);

/// Describe and Close: 'S' names a statement, 'P' a portal.
struct NameBody {
  char kind = 'S';
  std::string_view name;
};
Result<NameBody> name_body(Bytes body);

struct StatusBody {
  std::string_view name;
  std::string_view value;
};
Result<StatusBody> parameter_status_body(Bytes body);

struct KeyBody {
  std::uint32_t process_id = 0;
  Bytes key;
};
Result<KeyBody> key_data_body(Bytes body);

/// The fields of an ErrorResponse or NoticeResponse by their code ('S', 'C', 'M' ...).
Result<std::vector<std::pair<char, std::string_view>>> error_fields(Bytes body);

/// Checks that a DataRow's fields fill its body exactly; gives their number.
Result<std::uint16_t> data_row_fields(Bytes body);

/// The same for a long DataRow that is passed on in pieces.
class RowCheck {
 public:
  void begin() { *this = RowCheck(); }
  /// The next bytes of the body. False: a field ends outside of it.
  bool feed(Bytes piece);
  /// The whole body was fed: the number of fields, if they fill it exactly.
  Result<std::uint16_t> finish() const;

 private:
  std::uint32_t number_ = 0;     // the count or length that is being read
  unsigned number_missing_ = 2;  // bytes of it that are still to come
  std::size_t value_left_ = 0;   // bytes of the field's value
  std::optional<std::uint16_t> columns_;
  std::uint16_t fields_ = 0;  // begun
};

/// Checks a RowDescription; gives the number of its fields.
Result<std::uint16_t> row_description_fields(Bytes body);

Result<void> check_parameter_description(Bytes body);
Result<void> check_notification(Bytes body);
/// CopyInResponse and CopyOutResponse.
Result<void> check_copy_response(Bytes body);

/// "SELECT 3" -> 3, "INSERT 0 2" -> 2, "BEGIN" -> 0.
std::uint64_t rows_of_tag(std::string_view tag);

// ---- Building ----------------------------------------------------------------------------------

/// Appends messages to a buffer: `MessageBuilder(out, 'Z').u8('I');` The length is filled in when
/// the builder goes.
class MessageBuilder {
 public:
  MessageBuilder(ByteVector& out, char type);
  ~MessageBuilder();
  MessageBuilder(const MessageBuilder&) = delete;
  MessageBuilder& operator=(const MessageBuilder&) = delete;

  MessageBuilder& u8(std::uint8_t value);
  MessageBuilder& u16(std::uint16_t value);
  MessageBuilder& u32(std::uint32_t value);
  /// Text is cut at a zero, so that no field can end the next one early.
  MessageBuilder& text(std::string_view value);
  MessageBuilder& bytes(Bytes value);

 private:
  ByteVector& out_;
  std::size_t length_at_;
};

/// What an ErrorResponse says. Empty fields are left out.
struct ErrorText {
  std::string_view severity = "ERROR";
  std::string_view sqlstate = "42501";
  std::string message;
  std::string detail;
  std::string hint;
};
/// `position` is 1-based, in characters of the client's text; 0: none.
void append_error(ByteVector& out, const ErrorText& error, std::uint32_t position = 0);
/// The same as a NoticeResponse.
void append_notice(ByteVector& out, const ErrorText& notice);
void append_ready(ByteVector& out, char transaction_status);
void append_parameter_status(ByteVector& out, std::string_view name, std::string_view value);
void append_query(ByteVector& out, std::string_view sql);
/// `body` as it came, once function_call_body() has understood it.
void append_function_call(ByteVector& out, Bytes body);
void append_parse(ByteVector& out, std::string_view name, std::string_view sql,
                  const std::vector<std::uint32_t>& parameter_types);

}  // namespace sallyport::postgres
