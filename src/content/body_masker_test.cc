#include "content/body_masker.h"

#include <gmock/gmock.h>
#include <zlib.h>
#include <zstd.h>

namespace sallyport::content {
namespace {

using testing::HasSubstr;

mask::Masker& detectors(mask::Mode mode) {
  static const auto patterns = *mask::Patterns::make();
  static mask::Masker hides(*mask::Scanner::make(patterns), mask::Mode::mask);
  static mask::Masker reports(*mask::Scanner::make(patterns), mask::Mode::report);
  return mode == mask::Mode::mask ? hides : reports;
}

Plan plan_of(std::vector<std::string> paths, mask::Mode detect = mask::Mode::off) {
  SelectorBuilder builder;
  for (const std::string& path : paths) EXPECT_TRUE(builder.add({path, {"pii"}}));
  return Plan::make(*builder.build(), {}, {}, {},
                    detect == mask::Mode::off ? nullptr : &detectors(detect));
}

std::string zlib(std::string_view text, bool gzip) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + (gzip ? 16 : 0), 8, Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view text, int window_log = 0) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  if (window_log != 0) {
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  }
  std::string out(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  // A flush, so that the encoder does not know the size and make the window smaller.
  if (window_log != 0) EXPECT_EQ(ZSTD_compressStream2(context, &to, &in, ZSTD_e_flush), 0u);
  EXPECT_EQ(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

/// Brotli's own format for what is not compressed (RFC 7932 section 9.2): a window of 16 bits, and
/// blocks of at most 65,536 bytes. The encoder is not a library that the product needs.
std::string brotli(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  unsigned count = 0;
  const auto put = [&](unsigned value, unsigned size) {
    bits |= value << count;
    for (count += size; count >= 8; count -= 8, bits >>= 8) out += static_cast<char>(bits & 0xff);
  };
  const auto align = [&] {
    if (count > 0) put(0, 8 - count);
  };
  put(0, 1);  // WBITS: 16
  while (!text.empty()) {
    const std::string_view block = text.substr(0, 65'536);
    text.remove_prefix(block.size());
    put(0, 1);                                         // not the last
    put(0, 2);                                         // MNIBBLES: 4
    put(static_cast<unsigned>(block.size() - 1), 16);  // MLEN - 1
    put(1, 1);                                         // not compressed
    align();
    out += block;
  }
  put(3, 2);  // the last, and empty
  align();
  return out;
}

struct Answer {
  std::string out;
  Error error{Errc::closed, ""};
};

Answer run(Plan plan, std::string_view type, std::vector<std::string_view> encodings,
           std::string_view body, std::size_t piece_bytes, const BodyLimits& limits = {}) {
  Answer answer;
  auto masker = BodyMasker::make(std::array{type}, encodings, std::move(plan), limits);
  if (!masker) {
    answer.error = masker.error();
    return answer;
  }
  ByteVector out;
  for (std::size_t at = 0; at < body.size(); at += piece_bytes) {
    Bytes input = as_bytes(body.substr(at, piece_bytes));
    while (true) {
      auto all = masker->feed(input, out);
      if (!all) {
        answer.error = all.error();
        answer.out = as_text(out);
        return answer;
      }
      if (*all) break;
    }
    EXPECT_TRUE(input.empty());
  }
  if (auto done = masker->finish(out); !done) answer.error = done.error();
  answer.out = as_text(out);
  return answer;
}

std::string json_of(std::size_t customers) {
  std::string text = "[";
  for (std::size_t i = 0; i < customers; ++i) {
    text += fmt::format(R"({}{{"id":{},"email":"canary{}@example.com"}})", i == 0 ? "" : ",", i, i);
  }
  return text + "]";
}

TEST(BodyMasker, MasksBehindEveryEncodingTornAtEveryByte) {
  const std::string text = json_of(20);
  const std::string plain = run(plan_of({"$[*].email"}), "application/json", {}, text, 1 << 20).out;
  EXPECT_THAT(plain, HasSubstr(R"({"id":19,"email":"****"})"));
  const std::vector<std::pair<std::string_view, std::string>> bodies = {
      {"identity", text},   {"gzip", zlib(text, true)}, {"deflate", zlib(text, false)},
      {"br", brotli(text)}, {"zstd", zstd(text)},       {"X-GZIP", zlib(text, true)}};
  for (const auto& [encoding, body] : bodies) {
    for (std::size_t piece = 1; piece <= body.size(); ++piece) {
      const Answer answer =
          run(plan_of({"$[*].email"}), "application/json", {encoding}, body, piece);
      ASSERT_EQ(answer.error.detail, "") << encoding;
      ASSERT_EQ(answer.out, plain) << encoding << " in pieces of " << piece;
    }
  }
}

TEST(BodyMasker, GivesLargeBodiesInPortions) {
  const std::string text = json_of(20'000);
  for (const auto& [encoding, body] : std::vector<std::pair<std::string_view, std::string>>{
           {"gzip", zlib(text, true)}, {"zstd", zstd(text)}, {"br", brotli(text)}}) {
    auto masker = BodyMasker::make(std::array<std::string_view, 1>{"application/json"},
                                   std::array{encoding}, plan_of({"$..email"}));
    ASSERT_TRUE(masker);
    EXPECT_TRUE(masker->changes());
    Bytes input = as_bytes(body);
    ByteVector out;
    std::size_t most = 0;
    std::size_t total = 0;
    while (true) {
      const auto all = masker->feed(input, out);
      ASSERT_TRUE(all) << all.error().detail;
      most = std::max(most, out.size());
      total += out.size();
      out.clear();
      if (*all) break;
    }
    ASSERT_TRUE(masker->finish(out));
    EXPECT_LE(most, 192u * 1024);
    EXPECT_GT(total, 500'000u);
    EXPECT_EQ(masker->masked().fields, 20'000u);
  }
}

TEST(BodyMasker, RefusesBombs) {
  const std::string zeros = "[" + std::string(30 << 20, ' ') + "1]";
  for (const auto& [encoding, body] : std::vector<std::pair<std::string_view, std::string>>{
           {"gzip", zlib(zeros, true)}, {"deflate", zlib(zeros, false)}, {"zstd", zstd(zeros)}}) {
    const Answer answer = run(plan_of({"$..e"}), "application/json", {encoding}, body, 4096);
    EXPECT_EQ(answer.error.code, Errc::too_large) << encoding;
    EXPECT_THAT(answer.error.detail, HasSubstr("250 times")) << encoding;
    EXPECT_LT(answer.out.size(), std::size_t{4} << 20) << encoding;
  }
  BodyLimits limits;
  limits.decode.bytes_max = 1000;
  EXPECT_EQ(run(plan_of({"$..e"}), "application/json", {"br"}, brotli(json_of(100)), 64, limits)
                .error.code,
            Errc::too_large);
}

TEST(BodyMasker, RefusesBodiesThatAreNotWhatTheirEncodingSays) {
  const std::string text = json_of(3);
  const std::vector<std::pair<std::string_view, std::string>> bodies = {
      {"gzip", zlib(text, true)},
      {"deflate", zlib(text, false)},
      {"br", brotli(text)},
      {"zstd", zstd(text)}};
  const auto refused = [&](std::string_view encoding, const std::string& body) {
    return !run(plan_of({"$..e"}), "application/json", {encoding}, body, 10).error.detail.empty();
  };
  for (const auto& [encoding, body] : bodies) {
    EXPECT_TRUE(refused(encoding, text)) << encoding;
    EXPECT_TRUE(refused(encoding, body + "x")) << encoding << ": something behind it";
    EXPECT_TRUE(refused(encoding, body + body)) << encoding << ": twice";
    for (std::size_t size = 1; size < body.size(); ++size) {
      EXPECT_TRUE(refused(encoding, body.substr(0, size))) << encoding << " cut at " << size;
    }
    for (const auto& [other, other_body] : bodies) {
      if (other != encoding)
        EXPECT_TRUE(refused(encoding, other_body)) << encoding << " is " << other;
    }
  }
  std::string flipped = zlib(text, true);
  flipped[flipped.size() - 5] ^= 1;
  EXPECT_TRUE(refused("gzip", flipped)) << "its checksum";
  std::string raw = zlib(text, false);
  EXPECT_TRUE(refused("deflate", raw.substr(2))) << "deflate without its wrapping";
  EXPECT_TRUE(refused("zstd", zstd(text, 27))) << "a window of 128 MB";
}

TEST(BodyMasker, RefusesUnknownAndDoubleEncodings) {
  for (const std::vector<std::string_view>& encodings :
       std::vector<std::vector<std::string_view>>{{"compress"},
                                                  {"gzip, br"},
                                                  {"gzip", "br"},
                                                  {"gzip, gzip"},
                                                  {"identity, gzip"},
                                                  {""},
                                                  {","},
                                                  {"gzip;q=1"},
                                                  {"aws-chunked"},
                                                  {"gzip\x0b"}}) {
    auto masker = BodyMasker::make(std::array<std::string_view, 1>{"application/json"}, encodings,
                                   plan_of({"$..e"}));
    ASSERT_FALSE(masker) << encodings.front();
    EXPECT_EQ(masker.error().code, Errc::malformed);
  }
}

TEST(BodyMasker, RefusesWhatCannotBeMasked) {
  const auto made = [](std::string_view type, Plan plan) {
    return BodyMasker::make(std::array{type}, {}, std::move(plan));
  };
  for (const char* type :
       {"text/html", "text/csv", "application/xml", "multipart/form-data; boundary=x",
        "multipart/mixed", "application/javascript", "application/octet-stream", "image/png",
        "application/pdf", "application/json; charset=utf-16", "application/json;charset=\"UTF-7\"",
        "application/json-seq", "application/cbor", "application/msgpack", "application/zip",
        "application/x-ndjson; charset=utf-16le", "text/event-stream; charset=latin1"}) {
    auto masker = made(type, plan_of({"$..e"}));
    ASSERT_FALSE(masker) << type;
    EXPECT_EQ(masker.error().code, Errc::denied) << type;
  }
  for (const char* type :
       {"", "json", "application/", "application/json; charset",
        "application/json; charset=utf-8; charset=utf-16", "application/json, text/html",
        "application/json; charset=\"utf-8", "application /json"}) {
    auto masker = made(type, plan_of({"$..e"}));
    ASSERT_FALSE(masker) << type;
    EXPECT_EQ(masker.error().code, Errc::malformed) << type;
  }
  EXPECT_FALSE(BodyMasker::make({}, {}, plan_of({"$..e"})));
  EXPECT_FALSE(
      BodyMasker::make(std::array<std::string_view, 2>{"application/json", "application/json"}, {},
                       plan_of({"$..e"})));
  for (const char* type :
       {"application/json", "Application/JSON; Charset=\"UTF-8\"", "application/vnd.api+json",
        "application/problem+json", "text/json;charset=us-ascii", "application/json; "}) {
    EXPECT_TRUE(made(type, plan_of({"$..e"}))) << type;
  }
}

TEST(BodyMasker, LeavesAloneWhereNothingIsDue) {
  const auto changes = [](std::string_view type, Plan plan) {
    auto masker = BodyMasker::make(std::array{type}, std::array<std::string_view, 1>{"compress"},
                                   std::move(plan));
    return masker && masker->changes();
  };
  EXPECT_FALSE(changes("anything", plan_of({})));
  EXPECT_FALSE(changes("image/png", plan_of({}, mask::Mode::mask)));
  EXPECT_FALSE(changes("application/zip", plan_of({}, mask::Mode::report)));
  EXPECT_EQ(run(plan_of({}), "x", {"unknown"}, "anything", 3).out, "anything");
}

TEST(BodyMasker, LooksThroughOtherTexts) {
  const std::string html =
      "<html><p>anna.smith@example.com</p>" + std::string(70'000, 'x') + "</html>";
  const Answer answer = run(plan_of({}, mask::Mode::mask), "text/html; charset=utf-8", {"gzip"},
                            zlib(html, true), 999);
  EXPECT_EQ(answer.error.detail, "");
  EXPECT_EQ(answer.out.size(), html.size());
  EXPECT_THAT(answer.out, HasSubstr("<p>a*********@e******.com</p>"));
  EXPECT_FALSE(BodyMasker::make(std::array<std::string_view, 1>{"text/html; charset=utf-16"}, {},
                                plan_of({}, mask::Mode::mask)));
  EXPECT_FALSE(BodyMasker::make(std::array<std::string_view, 1>{"application/zip"}, {},
                                plan_of({}, mask::Mode::mask)));
}

TEST(BodyMasker, KnowsTheHeadersThatNoLongerHold) {
  for (const char* name : {"content-length", "content-encoding", "etag", "accept-ranges"}) {
    EXPECT_TRUE(BodyMasker::stale_header(name));
  }
  EXPECT_FALSE(BodyMasker::stale_header("content-type"));
}

std::string events(std::string_view text, std::size_t piece, Plan plan) {
  const Answer answer = run(std::move(plan), "text/event-stream", {}, text, piece);
  return answer.error.detail.empty() ? answer.out : "error: " + answer.error.detail;
}

TEST(EventStreamMasker, MasksTheDataOfEventsTornAnywhere) {
  const std::string text =
      ": hello\n\nevent: user\nid: 7\ndata: {\"email\":\ndata: \"canary\"}\n\r\n"
      "data:{\"email\":\"canary\",\"n\":1}\r\r: secret comment\ndata: [DONE]\n\nretry: 10\n\n"
      "unknown: canary\n\ndata: {\"email\":\"can";
  const std::string expected =
      ":\n\nevent: user\nid: 7\ndata: {\"email\":\ndata: \"****\"}\n\n"
      "data: {\"email\":\"****\",\"n\":1}\n\n:\ndata: [DONE]\n\nretry: 10\n\n\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    ASSERT_EQ(events(text, piece, plan_of({"$.email"})), expected) << piece;
  }
}

TEST(EventStreamMasker, RefusesDataThatIsNotJsonWhereAMaskIsDue) {
  for (const char* text : {"data: canary\n\n", "data: {\"a\":1,\"a\":2}\n\n",
                           "\xef\xbb\xbf"
                           "data: {}\n\n",
                           "data: \xff\n\n", "data: {}x\n\n"}) {
    EXPECT_THAT(events(text, 5, plan_of({"$.email"})), HasSubstr("error")) << text;
  }
  EXPECT_EQ(events("data: mail anna.smith@example.com now\n\n", 5, plan_of({}, mask::Mode::mask)),
            "data: mail a*********@e******.com now\n\n");
  EXPECT_THAT(events("data: " + std::string(event_bytes_max, 'x'), 4096, plan_of({"$.e"})),
              HasSubstr("an event above"));
}

}  // namespace
}  // namespace sallyport::content
