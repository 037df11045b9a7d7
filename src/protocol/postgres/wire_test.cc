// Wire: what arrives in pieces, too long, or broken.

#include "protocol/postgres/wire.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/postgres/reader.h"

using namespace std::string_literals;
using namespace std::string_view_literals;

namespace sallyport::postgres {
namespace {

constexpr std::size_t limit = 1024;

const MessageLimits& client_limits() {
  static const MessageLimits limits = MessageLimits::client(limit);
  return limits;
}
const MessageLimits& server_limits() {
  static const MessageLimits limits = MessageLimits::server();
  return limits;
}

// What psql sends for a query, an extended query and its goodbye.
constexpr auto transcript =
    "Q\0\0\0\x0Eselect 1;\0"
    "P\0\0\0\x10s1\0select\0\0\0"
    "B\0\0\0\x16p1\0s1\0\0\0\0\x01\0\0\0\x02hi\0\0"
    "E\0\0\0\x0Bp1\0\0\0\0\0"
    "S\0\0\0\x04X\0\0\0\x04"sv;

/// Feeds `pieces` one after the other; every message as "<type>:<raw>".
std::vector<std::string> decode(const MessageLimits& limits,
                                const std::vector<std::string_view>& pieces) {
  Decoder decoder(limits);
  std::vector<std::string> seen;
  for (const std::string_view piece : pieces) {
    decoder.feed(as_bytes(piece));
    while (true) {
      auto message = decoder.next();
      if (!message) {
        seen.push_back("error:" + message.error().detail);
        return seen;
      }
      if (!*message) break;
      if ((*message)->first) {
        seen.push_back(std::string(1, (*message)->type) + ":");
      }
      seen.back() += as_text((*message)->raw);
    }
  }
  return seen;
}

TEST(PostgresDecoder, YieldsMessagesInOrder) {
  const auto seen = decode(client_limits(), {transcript});
  ASSERT_EQ(seen.size(), 6u);
  EXPECT_EQ(seen[0], "Q:Q\0\0\0\x0Eselect 1;\0"s);
  EXPECT_EQ(seen[5], "X:X\0\0\0\x04"s);
}

TEST(PostgresDecoder, YieldsTheSameMessagesWhereverTheReadIsTorn) {
  const auto expected = decode(client_limits(), {transcript});
  for (std::size_t a = 0; a <= transcript.size(); ++a) {
    for (std::size_t b = a; b <= transcript.size(); ++b) {
      SCOPED_TRACE(std::to_string(a) + "," + std::to_string(b));
      ASSERT_EQ(decode(client_limits(), {transcript.substr(0, a), transcript.substr(a, b - a),
                                         transcript.substr(b)}),
                expected);
    }
  }
}

TEST(PostgresDecoder, RefusesALengthThatDoesNotCoverItself) {
  EXPECT_EQ(decode(client_limits(), {"Q\0\0\0\x03"sv}),
            std::vector<std::string>{"error:message length 3 is below 4"});
}

TEST(PostgresDecoder, RefusesAMessageAboveTheLimitBeforeItsBodyArrives) {
  const auto seen = decode(client_limits(), {"E\x7F\xFF\xFF\xFF"sv});
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_TRUE(seen[0].starts_with("error:message E of 2147483647 bytes")) << seen[0];
}

TEST(PostgresDecoder, DiscardsAStatementAboveTheLimitWithoutHoldingIt) {
  ByteVector input;
  MessageBuilder(input, frontend::query).bytes(ByteVector(5000, std::byte{'x'}));
  MessageBuilder(input, frontend::sync);
  for (std::size_t cut = 0; cut <= input.size(); cut += 7) {
    SCOPED_TRACE(cut);
    Decoder decoder(client_limits());
    std::string types;
    for (const Bytes piece : {Bytes(input).first(cut), Bytes(input).subspan(cut)}) {
      decoder.feed(piece);
      while (true) {
        auto message = decoder.next();
        ASSERT_TRUE(message.has_value()) << message.error().detail;
        if (!*message) break;
        types += (*message)->type;
        EXPECT_EQ((*message)->discarded, (*message)->type == 'Q');
        EXPECT_LT(decoder.held(), 8u);
      }
    }
    EXPECT_EQ(types, "QS");
  }
}

TEST(PostgresDecoder, RefusesATypeThatIsNotListed) {
  EXPECT_EQ(decode(client_limits(), {"Z\0\0\0\x05I"sv}),
            std::vector<std::string>{"error:unexpected message type Z"});
  EXPECT_EQ(decode(server_limits(), {"W\0\0\0\x07\0\0\0"sv}),
            std::vector<std::string>{"error:unexpected message type W"});
}

TEST(PostgresDecoder, HandsOnALongRowInPieces) {
  const std::string cell(40'000, 'x');
  ByteVector row;
  MessageBuilder(row, backend::data_row).u16(1).u32(40'000).bytes(as_bytes(cell));
  append_ready(row, 'I');
  const std::string_view all = as_text(row);
  for (const std::size_t cut : {1u, 3u, 5u, 6u, 100u, 16'384u, 39'999u}) {
    SCOPED_TRACE(cut);
    const auto seen = decode(server_limits(), {all.substr(0, cut), all.substr(cut)});
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].substr(2) + seen[1].substr(2), all);
  }
}

TEST(PostgresDecoder, HoldsNoMoreOfARowThanItsHeader) {
  Decoder decoder(server_limits());
  std::string start = "D\x10\0\0\0"s + std::string(20'000, 'x');
  decoder.feed(as_bytes(start));
  ASSERT_TRUE(decoder.next().value().has_value());
  EXPECT_FALSE(decoder.next().value().has_value());
  EXPECT_EQ(decoder.held(), 0u);
}

// A second zero would let the server and the policy read two different queries.
TEST(PostgresQueryText, RefusesATextWithAZeroInside) {
  EXPECT_EQ(query_text(as_bytes("a\0drop\0"sv)).error().code, Errc::malformed);
  EXPECT_EQ(query_text(as_bytes("a"sv)).error().code, Errc::malformed);
  EXPECT_EQ(query_text(as_bytes("select 1\0"sv)).value(), "select 1");
}

TEST(PostgresParse, RefusesACountThatItsBodyCannotHold) {
  EXPECT_TRUE(parse_body(as_bytes("s\0select\0\0\x01\0\0\0\x17"sv)).has_value());
  EXPECT_FALSE(parse_body(as_bytes("s\0select\0\xff\xff"sv)).has_value());
  EXPECT_FALSE(parse_body(as_bytes("s\0select\0\0\0x"sv)).has_value());
}

TEST(PostgresBind, ReadsNullAndRefusesWhatDoesNotFit) {
  const auto bound =
      bind_body(as_bytes("\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x01z\0\0"sv));
  ASSERT_TRUE(bound.has_value());
  EXPECT_EQ(bound->statement, "s");
  ASSERT_EQ(bound->parameters.size(), 2u);
  EXPECT_FALSE(bound->parameters[0].has_value());
  EXPECT_EQ(as_text(*bound->parameters[1]), "z");
  EXPECT_TRUE(bound->binary(1));
  // A length that points behind the message, a third format code, bytes left over.
  EXPECT_FALSE(bind_body(as_bytes("\0s\0\0\0\0\x01\0\0\0\x09z\0\0"sv)).has_value());
  EXPECT_FALSE(bind_body(as_bytes("\0s\0\0\x01\0\x02\0\0\0\0"sv)).has_value());
  EXPECT_FALSE(bind_body(as_bytes("\0s\0\0\0\0\0\0\0x"sv)).has_value());
}

TEST(PostgresFunctionCall, ReadsItsArgumentsAndRefusesWhatDoesNotFit) {
  const auto call = function_call_body(
      as_bytes("\0\0\x03\xba\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x01z\0\x01"sv));
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(call->function, 954u);
  ASSERT_EQ(call->arguments.size(), 2u);
  EXPECT_FALSE(call->arguments[0].has_value());
  EXPECT_EQ(as_text(*call->arguments[1]), "z");
  EXPECT_TRUE(call->binary(1));
  EXPECT_EQ(call->result_format, 1);
  // A length that points behind the message, formats for others, a third format code, bytes left.
  for (const std::string_view body :
       {"\0\0\x03\xba\0\0\0\x01\0\0\0\x09z\0\0"sv,
        "\0\0\x03\xba\0\x02\0\0\0\0\0\x01\xff\xff\xff\xff\0\0"sv, "\0\0\x03\xba\0\0\0\0\0\x02"sv,
        "\0\0\x03\xba\0\0\0\0\0\0x"sv, "\0\0\x03"sv}) {
    EXPECT_FALSE(function_call_body(as_bytes(body)).has_value());
  }
  ByteVector out;
  append_function_call(out, as_bytes("abc"sv));
  EXPECT_EQ(as_text(out),
            "F\0\0\0\x07"
            "abc"sv);
  EXPECT_TRUE(check_function_result(as_bytes("\xff\xff\xff\xff"sv)));
  EXPECT_TRUE(check_function_result(as_bytes("\0\0\0\x02hi"sv)));
  EXPECT_FALSE(check_function_result(as_bytes("\0\0\0\x03hi"sv)));
  EXPECT_FALSE(check_function_result(as_bytes("\0\0\0\x01hi"sv)));
}

TEST(PostgresDataRow, FieldsMustFillItExactly) {
  EXPECT_EQ(data_row_fields(as_bytes("\0\x01\0\0\0\x01x"sv)).value(), 1);
  EXPECT_FALSE(data_row_fields(as_bytes("\0\x02\0\0\0\x01x"sv)).has_value());
  EXPECT_FALSE(data_row_fields(as_bytes("\0\x01\0\0\0\x01xy"sv)).has_value());
  EXPECT_FALSE(data_row_fields(as_bytes("\0\x01\x7f\xff\xff\xff"sv)).has_value());
}

TEST(PostgresOpening, ReadsTheFourKinds) {
  std::size_t size = 0;
  EXPECT_TRUE(std::holds_alternative<SslRequest>(
      **decode_opening(as_bytes("\0\0\0\x08\x04\xd2\x16\x2f"sv), size)));
  EXPECT_TRUE(std::holds_alternative<GssEncRequest>(
      **decode_opening(as_bytes("\0\0\0\x08\x04\xd2\x16\x30"sv), size)));
  const CancelRequest cancel{.process_id = 7, .key = ByteVector(32, std::byte{9})};
  const auto again = decode_opening(encode_cancel_request(cancel), size);
  EXPECT_EQ(std::get<CancelRequest>(**again).key, cancel.key);
  const StartupMessage startup{.version = protocol_3_0,
                               .parameters = {{"user", "alice"}, {"database", "shop"}}};
  const ByteVector packet = encode_startup(startup);
  const auto opening = decode_opening(packet, size);
  ASSERT_TRUE(opening.has_value() && opening->has_value());
  EXPECT_EQ(*std::get<StartupMessage>(**opening).find("user"), "alice");
  EXPECT_EQ(size, packet.size());
  for (std::size_t cut = 0; cut < packet.size(); ++cut) {
    EXPECT_FALSE(decode_opening(Bytes(packet).first(cut), size).value().has_value());
  }
}

TEST(PostgresOpening, RefusesWhatIsAmbiguousOrTooLong) {
  std::size_t size = 0;
  const auto refused = [&](std::string_view packet) {
    return !decode_opening(as_bytes(packet), size).has_value();
  };
  EXPECT_TRUE(refused("\0\0\0\x07\0\0\0"sv));
  EXPECT_TRUE(refused("\x7f\xff\xff\xff\0\x03\0\0"sv));
  EXPECT_TRUE(refused("\0\0\0\x09\x04\xd2\x16\x2fx"sv));               // SSLRequest, a body
  EXPECT_TRUE(refused("\0\0\0\x09\0\x02\0\0\0"sv));                    // protocol 2
  EXPECT_TRUE(refused("\0\0\0\x17\0\x03\0\0user\0a\0user\0b\0\0"sv));  // twice
  EXPECT_TRUE(refused("\0\0\0\x0f\0\x03\0\0user\0a\0"sv));             // no terminator
  EXPECT_TRUE(refused("GET / HTTP/1.1\r\n"sv));
}

TEST(PostgresError, ATextCannotEndAFieldEarly) {
  ByteVector out;
  append_error(out, {.message = "a\0Cforged"s, .detail = "", .hint = ""});
  const auto fields = error_fields(Bytes(out).subspan(header_bytes));
  ASSERT_TRUE(fields.has_value());
  ASSERT_EQ(fields->size(), 4u);
  EXPECT_EQ((*fields)[3].second, "a");
}

TEST(PostgresTag, CountsRows) {
  EXPECT_EQ(rows_of_tag("SELECT 3"), 3u);
  EXPECT_EQ(rows_of_tag("INSERT 0 2"), 2u);
  EXPECT_EQ(rows_of_tag("BEGIN"), 0u);
  EXPECT_EQ(rows_of_tag("CREATE TABLE"), 0u);
}

TEST(PostgresRowCheck, ReadsARowInPiecesAsItReadsItWhole) {
  const std::vector<std::string_view> bodies = {
      "\0\0"sv,
      "\0\x02\0\0\0\x01"
      "a\xff\xff\xff\xff"sv,
      "\0\x01\0\0\0\0"sv,
      ""sv,
      "\0"sv,
      "\0\x01"sv,
      "\0\0x"sv,
      "\0\x01\0\0\0\x02"
      "a"sv,
      "\0\x01\0\0\0\x01"
      "ab"sv,
      "\0\x01\xff\xff\xff\xfe"sv,
      "\0\x02\0\0\0\x01"
      "a"sv,
  };
  for (const std::string_view body : bodies) {
    const auto whole = data_row_fields(as_bytes(body));
    for (std::size_t cut = 0; cut <= body.size(); ++cut) {
      SCOPED_TRACE(to_hex(as_bytes(body)) + " at " + std::to_string(cut));
      RowCheck check;
      const bool fits =
          check.feed(as_bytes(body.substr(0, cut))) && check.feed(as_bytes(body.substr(cut)));
      const auto fields = check.finish();
      ASSERT_EQ(fits && fields.has_value(), whole.has_value());
      if (whole) EXPECT_EQ(*fields, *whole);
    }
  }
}

}  // namespace
}  // namespace sallyport::postgres
