// What real clients and a real server said (tests/transcripts/, recorded by its record.py): every
// message is decoded and put together again from what was decoded, and arrives alike however it
// is torn.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/postgres/reader.h"

namespace sallyport::postgres {
namespace {

namespace fs = std::filesystem;

const fs::path folder = fs::path(__FILE__).parent_path() / "../../../tests/transcripts";
constexpr std::size_t message_bytes_max = 1 << 20;

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".client") found.push_back(entry.path().stem().string());
  }
  std::ranges::sort(found);
  return found;
}

ByteVector read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const Bytes bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

/// A message from its decoded parts; what has no parts is its body.
class Again {
 public:
  explicit Again(const Message& message) : message_(message), in_(message.body) {}

  ByteVector client() {
    const Bytes body = message_.body;
    switch (message_.type) {
      case frontend::query: {
        const auto sql = query_text(body);
        if (sql) append_query(out_, *sql);
        break;
      }
      case frontend::parse: {
        const auto parsed = parse_body(body);
        if (parsed) append_parse(out_, parsed->name, parsed->sql, parsed->parameter_types);
        break;
      }
      case frontend::bind:
        if (const auto bound = bind_body(body)) bind(*bound);
        break;
      case frontend::execute: {
        const auto execute = execute_body(body);
        if (execute) builder().text(execute->portal).u32(execute->rows_max);
        break;
      }
      case frontend::describe:
      case frontend::close: {
        const auto named = name_body(body);
        if (named) builder().u8(static_cast<std::uint8_t>(named->kind)).text(named->name);
        break;
      }
      case frontend::sync:
      case frontend::flush:
      case frontend::terminate:
      case frontend::copy_done:
        builder();
        break;
      case frontend::copy_fail:
      case frontend::password:
        builder().text(in_.text());
        break;
      case frontend::copy_data:
        builder().bytes(body);
        break;
      default:
        break;
    }
    return std::move(out_);
  }

  ByteVector server() {
    switch (message_.type) {
      case backend::row_description:
        row_description();
        break;
      case backend::data_row:
        data_row();
        break;
      case backend::error:
      case backend::notice: {
        const auto fields = error_fields(message_.body);
        if (!fields) break;
        auto built = builder();
        for (const auto& [code, text] : *fields) {
          built.u8(static_cast<std::uint8_t>(code)).text(text);
        }
        built.u8(0);
        break;
      }
      case backend::parameter_status: {
        const auto status = parameter_status_body(message_.body);
        if (status) append_parameter_status(out_, status->name, status->value);
        break;
      }
      case backend::key_data: {
        const auto key = key_data_body(message_.body);
        if (key) builder().u32(key->process_id).bytes(key->key);
        break;
      }
      case backend::ready:
        append_ready(out_, static_cast<char>(in_.u8()));
        break;
      case backend::command_complete:
        builder().text(in_.text());
        break;
      case backend::parameter_description:
        if (check_parameter_description(message_.body)) list([&](auto& to) { to.u32(in_.u32()); });
        break;
      case backend::copy_in:
      case backend::copy_out:
        if (check_copy_response(message_.body)) {
          const std::uint8_t format = in_.u8();
          list([&](auto& to) { to.u16(in_.u16()); }, format);
        }
        break;
      case backend::notification:
        if (check_notification(message_.body)) {
          const std::uint32_t process = in_.u32();
          const std::string_view channel = in_.text();
          builder().u32(process).text(channel).text(in_.text());
        }
        break;
      case backend::authentication:
        builder().u32(in_.u32());
        break;
      case backend::negotiate_version: {
        auto built = builder();
        built.u32(in_.u32());
        const std::uint32_t unknown = in_.u32();
        built.u32(unknown);
        for (std::uint32_t i = 0; i < unknown; ++i) built.text(in_.text());
        break;
      }
      case backend::copy_data:
        builder().bytes(message_.body);
        break;
      case backend::parse_complete:
      case backend::bind_complete:
      case backend::close_complete:
      case backend::no_data:
      case backend::empty_query:
      case backend::portal_suspended:
      case backend::copy_done:
        builder();
        break;
      default:
        break;
    }
    return std::move(out_);
  }

 private:
  MessageBuilder builder() { return {out_, message_.type}; }

  template <typename Item>
  void list(const Item& item, std::optional<std::uint8_t> format = {}) {
    auto built = builder();
    if (format) built.u8(*format);
    const std::uint16_t count = in_.u16();
    built.u16(count);
    for (std::uint16_t i = 0; i < count; ++i) item(built);
  }

  void bind(const BindBody& bound) {
    auto built = builder();
    built.text(bound.portal).text(bound.statement);
    built.u16(static_cast<std::uint16_t>(bound.parameter_formats.size()));
    for (const std::uint16_t format : bound.parameter_formats) built.u16(format);
    built.u16(static_cast<std::uint16_t>(bound.parameters.size()));
    for (const auto& value : bound.parameters) this->value(built, value);
    built.u16(static_cast<std::uint16_t>(bound.result_formats.size()));
    for (const std::uint16_t format : bound.result_formats) built.u16(format);
  }

  static void value(MessageBuilder& to, const std::optional<Bytes>& value) {
    if (!value) {
      to.u32(0xFFFFFFFF);
    } else {
      to.u32(static_cast<std::uint32_t>(value->size())).bytes(*value);
    }
  }

  void row_description() {
    if (!row_description_fields(message_.body)) return;
    list([&](auto& to) {
      to.text(in_.text());
      for (const bool wide : {true, false, true, false, true, false}) {
        wide ? to.u32(in_.u32()) : to.u16(in_.u16());
      }
    });
  }

  void data_row() {
    if (!data_row_fields(message_.body)) return;
    list([&](auto& to) {
      const std::uint32_t size = in_.u32();
      value(to, size == 0xFFFFFFFF ? std::optional<Bytes>() : in_.bytes(size));
    });
  }

  const Message& message_;
  FieldReader in_;
  ByteVector out_;
};

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

/// What is decoded when the bytes arrive as these two pieces: every message's bytes, whole again.
std::vector<ByteVector> decode(const MessageLimits& limits, Bytes bytes, std::size_t cut) {
  std::vector<ByteVector> seen;
  Decoder decoder(limits);
  for (const Bytes piece : {bytes.first(cut), bytes.subspan(cut)}) {
    decoder.feed(piece);
    while (true) {
      const auto message = decoder.next();
      if (!message) {
        ADD_FAILURE() << message.error().detail << " when torn at byte " << cut;
        return seen;
      }
      if (!*message) break;
      if ((*message)->first) seen.emplace_back();
      seen.back().insert(seen.back().end(), (*message)->raw.begin(), (*message)->raw.end());
    }
  }
  EXPECT_TRUE(decoder.empty()) << "torn at byte " << cut;
  return seen;
}

class Transcript : public testing::TestWithParam<std::string> {
 protected:
  const ByteVector client_ = read(folder / (GetParam() + ".client"));
  const ByteVector server_ = read(folder / (GetParam() + ".server"));
  const MessageLimits from_client_ = MessageLimits::client(message_bytes_max);
  const MessageLimits from_server_ = MessageLimits::server();

  /// The client's bytes after its startup message.
  Bytes session() const {
    std::size_t size = 0;
    const auto opening = decode_opening(client_, size);
    EXPECT_TRUE(opening && *opening);
    return Bytes(client_).subspan(size);
  }

  static void expect_same_torn_anywhere(const MessageLimits& limits, Bytes bytes) {
    const auto whole = decode(limits, bytes, bytes.size());
    ASSERT_GE(whole.size(), 5u);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      ASSERT_EQ(decode(limits, bytes, cut), whole) << "torn at byte " << cut;
    }
  }
};

TEST_P(Transcript, StartupIsTheSameAgain) {
  std::size_t size = 0;
  const auto opening = decode_opening(client_, size);
  ASSERT_TRUE(opening && *opening);
  const auto* startup = std::get_if<StartupMessage>(&**opening);
  ASSERT_NE(startup, nullptr);
  EXPECT_EQ(hex(encode_startup(*startup)), hex(Bytes(client_).first(size)));
  for (std::size_t cut = 0; cut < size; ++cut) {
    std::size_t taken = 0;
    const auto part = decode_opening(Bytes(client_).first(cut), taken);
    EXPECT_TRUE(part && !*part) << "torn at byte " << cut;
  }
}

TEST_P(Transcript, EveryMessageIsTheSameAgain) {
  for (const bool from_client : {true, false}) {
    Decoder decoder(from_client ? from_client_ : from_server_);
    const Bytes bytes = from_client ? session() : Bytes(server_);
    decoder.feed(bytes);
    std::size_t taken = 0;
    while (true) {
      const auto message = decoder.next();
      ASSERT_TRUE(message) << message.error().detail;
      if (!*message) break;
      const Message& one = **message;
      ASSERT_TRUE(one.first && one.last);
      const ByteVector again = from_client ? Again(one).client() : Again(one).server();
      ASSERT_EQ(hex(again), hex(one.raw)) << "type " << one.type << " at byte " << taken;
      taken += one.raw.size();
    }
    EXPECT_EQ(taken, bytes.size());
  }
}

TEST_P(Transcript, TornAtEveryByteItIsTheSame) {
  expect_same_torn_anywhere(from_client_, session());
  expect_same_torn_anywhere(from_server_, server_);
}

INSTANTIATE_TEST_SUITE_P(Clients, Transcript, testing::ValuesIn(names()), [](const auto& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(Transcripts, AreThoseOfAllClients) {
  for (const char* name :
       {"asyncpg", "jdbc", "node-postgres", "pgbench-extended", "pgbench-prepared",
        "pgbench-simple", "pgx", "psql", "psycopg", "sqlalchemy"}) {
    EXPECT_TRUE(fs::exists(folder / (std::string(name) + ".client"))) << name;
    EXPECT_TRUE(fs::exists(folder / (std::string(name) + ".server"))) << name;
  }
}

}  // namespace
}  // namespace sallyport::postgres
