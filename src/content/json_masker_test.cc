#include "content/json_masker.h"

#include <gmock/gmock.h>

#include <random>

namespace sallyport::content {
namespace {

using testing::HasSubstr;

MaskKey test_key() {
  MaskKey key;
  key.bytes.fill(std::byte{7});
  return key;
}

mask::Masker& detectors(mask::Mode mode) {
  static const auto patterns = *mask::Patterns::make();
  static mask::Masker hides(*mask::Scanner::make(patterns), mask::Mode::mask);
  static mask::Masker reports(*mask::Scanner::make(patterns), mask::Mode::report);
  return mode == mask::Mode::mask ? hides : reports;
}

struct Rule {
  std::string path;
  std::string classification;
};

/// How documents are masked in a test.
struct Setting {
  std::vector<Rule> paths;
  mask::Rules rules = {{"redact", mask::Kind::redact}, {"null", mask::Kind::null},
                       {"hash", mask::Kind::hash},     {"round", mask::Kind::round},
                       {"year", mask::Kind::year},     {"partial", mask::Kind::partial}};
  std::vector<std::string> revealed;
  mask::Mode detect = mask::Mode::off;
  bool lines = false;
  JsonLimits limits;

  Plan plan() const {
    SelectorBuilder builder;
    for (const Rule& rule : paths) {
      auto added = builder.add({rule.path, {rule.classification}});
      EXPECT_TRUE(added) << added.error().detail;
    }
    return Plan::make(*builder.build(), rules, revealed, test_key(),
                      detect == mask::Mode::off ? nullptr : &detectors(detect));
  }
};

struct Answer {
  std::string out;
  std::string error;  // empty: none
  Masked masked;

  bool operator==(const Answer& other) const {
    return error == other.error && (!error.empty() || out == other.out) &&
           masked.fields == other.masked.fields;
  }
};

/// In pieces that end where `ends` say.
Answer mask_in_pieces(const Plan& plan, const Setting& setting, std::string_view text,
                      std::span<const std::size_t> ends) {
  JsonMasker masker(plan, setting.limits, setting.lines);
  ByteVector out;
  Answer answer;
  std::size_t begin = 0;
  const auto feed = [&](std::size_t end) {
    // On the heap, and no longer than it is, so that reading beyond it shows.
    const std::vector<char> piece(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                  text.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end;
    auto done = masker.feed(as_bytes(std::string_view(piece.data(), piece.size())), out);
    if (!done) answer.error = done.error().detail;
    return done.has_value();
  };
  bool fine = true;
  for (const std::size_t end : ends) fine = fine && feed(end);
  fine = fine && feed(text.size());
  if (fine) {
    if (auto done = masker.finish(out); !done) answer.error = done.error().detail;
  }
  answer.out = as_text(out);
  answer.masked = masker.masked();
  return answer;
}

/// In one piece, in two at every byte, and byte by byte; all must agree. `canaries` must be in none
/// of the bytes that went out, also where the document was refused in the end.
Answer mask_everywhere(const Setting& setting, std::string_view text,
                       std::span<const std::string> canaries = {}) {
  const Plan plan = setting.plan();
  const auto no_canary = [&](const Answer& answer) {
    for (const std::string& canary : canaries) {
      EXPECT_FALSE(answer.out.contains(canary)) << canary << " in " << answer.out;
    }
  };
  const Answer whole = mask_in_pieces(plan, setting, text, {});
  no_canary(whole);
  for (std::size_t at = 1; at < text.size(); ++at) {
    const Answer torn = mask_in_pieces(plan, setting, text, std::array{at});
    EXPECT_EQ(torn.out, whole.error.empty() ? whole.out : torn.out) << "torn at " << at;
    EXPECT_EQ(torn.error, whole.error) << "torn at " << at;
    EXPECT_EQ(torn.masked.fields, whole.error.empty() ? whole.masked.fields : torn.masked.fields);
    no_canary(torn);
  }
  std::vector<std::size_t> every(text.size());
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
  const Answer bytes = mask_in_pieces(plan, setting, text, every);
  EXPECT_EQ(bytes.error, whole.error);
  if (whole.error.empty()) EXPECT_EQ(bytes.out, whole.out);
  no_canary(bytes);
  return whole;
}

std::string masked(const Setting& setting, std::string_view text) {
  const Answer answer = mask_everywhere(setting, text);
  EXPECT_EQ(answer.error, "") << text;
  return answer.out;
}

std::string refused(const Setting& setting, std::string_view text,
                    std::vector<std::string> canaries = {}) {
  const Answer answer = mask_everywhere(setting, text, canaries);
  EXPECT_NE(answer.error, "") << text;
  return answer.error;
}

TEST(JsonMasker, LeavesWhatIsNotClassifiedAsItIs) {
  const Setting setting{.paths = {{"$.email", "redact"}}};
  for (const char* text :
       {"{}", "[]", "null", " true ", "-0.5e+10", "\"a\\u00e9\\n\"", "[ 1 , [ ] , { } ]\n",
        R"({"a":{"email":"x"},"b":[1,2,{"c":"\/"}]})", "{\"\":0,\"a\\\"b\":\"\\\\\"}",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""}) {
    EXPECT_EQ(masked(setting, text), text);
  }
  EXPECT_EQ(masked(setting, ""), "") << "an empty body says nothing";
}

TEST(JsonMasker, MasksByPath) {
  const std::string text =
      R"({"customers":[{"id":1,"email":"anna.smith@example.com","card":"4242 4242 4242 4242",)"
      R"("phone":"+49 170 1234567"},{"id":2,"email":null}],"email":"kept@example.com"})";
  const Setting setting{.paths = {{"$.customers[*].email", "pii.email"},
                                  {"$.customers[*].card", "pci.card"},
                                  {"$.customers[*].phone", "pii.phone"}},
                        .rules = {}};
  EXPECT_EQ(masked(setting, text),
            R"({"customers":[{"id":1,"email":"a*********@e******.com","card":)"
            R"("**** **** **** 4242","phone":"+** *** *****67"},{"id":2,"email":null}],)"
            R"("email":"kept@example.com"})");
}

TEST(JsonMasker, MasksAnywhereBelow) {
  const Setting setting{.paths = {{"$..secret", "redact"}}};
  EXPECT_EQ(
      masked(setting, R"([{"secret":"a"},{"b":{"c":[{"secret":"d"}],"secret":["e",["f"]]}}])"),
      R"([{"secret":"****"},{"b":{"c":[{"secret":"****"}],"secret":["****",["****"]]}}])");
}

TEST(JsonMasker, MasksWildcards) {
  const Setting setting{.paths = {{"$.*.a", "redact"}, {"$.list[*]", "redact"}}};
  EXPECT_EQ(masked(setting, R"({"x":{"a":"1","b":"2"},"list":["p","q"],"y":[{"a":"3"}]})"),
            R"({"x":{"a":"****","b":"2"},"list":["****","****"],"y":[{"a":"3"}]})");
}

TEST(JsonMasker, MasksEveryKindOfValueWithEveryMask) {
  const std::string text = R"({"v":["2026-11-24T10:11:12.5+02:00","2026-11-24","12345.6","héllo",)"
                           R"(98765,-1234.5,999,1.5e3,true,null,{"k":"w"},[1]]})";
  const auto with = [&](const std::string& kind) {
    return masked({.paths = {{"$.v", kind}}}, text);
  };
  EXPECT_EQ(with("redact"),
            R"({"v":["****","****","****","****",null,null,null,null,null,null,null,[null]]})");
  EXPECT_EQ(with("null"), R"({"v":null})");
  EXPECT_EQ(with("round"), R"({"v":["2026-11-01T00:00:00Z","2026-11-01","12000",null,)"
                           R"(98000,-1000,0,1000,null,null,null,[0]]})");
  EXPECT_EQ(with("year"), R"({"v":["2026-01-01T00:00:00Z","2026-01-01",null,null,)"
                          R"(null,null,null,null,null,null,null,[null]]})");
  EXPECT_EQ(with("partial"),
            R"({"v":["2**************************","2*********","1******","h****",)"
            R"(null,null,null,null,null,null,null,[null]]})");
}

TEST(JsonMasker, HashesEqualValuesEqually) {
  const std::string out =
      masked({.paths = {{"$[*]", "hash"}}}, R"(["ab","a\u0062","ac",12,12,13])");
  const auto value = [&](std::size_t n) {
    std::size_t begin = 1;
    while (n-- > 0) begin = out.find(',', begin) + 1;
    return out.substr(begin, out.find_first_of(",]", begin) - begin);
  };
  EXPECT_EQ(value(0).size(), 34u) << out;
  EXPECT_EQ(value(0), value(1)) << "the escape is of the same text";
  EXPECT_NE(value(0), value(2));
  EXPECT_EQ(value(3), value(4));
  EXPECT_NE(value(3), value(5));
}

TEST(JsonMasker, RevealsWhatMayBeRevealed) {
  const std::string text = R"({"a":{"b":"x"},"c":"y"})";
  EXPECT_EQ(masked({.paths = {{"$.a", "redact"}, {"$.a.b", "pii"}, {"$.c", "pii"}},
                    .revealed = {"redact"}},
                   text),
            R"({"a":{"b":"****"},"c":"****"})");
  EXPECT_EQ(masked({.paths = {{"$.c", "redact"}, {"$.c", "pii"}}, .revealed = {"pii"}}, text),
            R"({"a":{"b":"x"},"c":"****"})")
      << "of several classes all must be revealed";
  EXPECT_EQ(
      masked({.paths = {{"$.a", "redact"}, {"$..c", "pii"}}, .revealed = {"pii", "redact"}}, text),
      text);
}

TEST(JsonMasker, KnowsANameByWhatItMeans) {
  const Setting setting{
      .paths = {{"$.email", "redact"}, {"$.é", "redact"}, {"$['a/b']", "redact"}}};
  for (const char* name :
       {"email", "\\u0065mail", "em\\u0061il", "\\u0065\\u006D\\u0061\\u0069\\u006c"}) {
    EXPECT_EQ(mask_everywhere(setting, fmt::format(R"({{"{}":"canary"}})", name),
                              std::array{std::string("canary")})
                  .error,
              "")
        << name;
  }
  EXPECT_EQ(masked(setting, "{\"\xc3\xa9\":\"x\"}"), "{\"\xc3\xa9\":\"****\"}");
  EXPECT_EQ(masked(setting, R"({"\u00e9":"x","a\/b":"y"})"), R"({"\u00e9":"****","a\/b":"****"})");
}

TEST(JsonMasker, RefusesTheSameNameTwice) {
  const Setting setting{.paths = {{"$.email", "redact"}}};
  for (const char* text : {
           R"({"email":"canary","email":"canary"})",
           R"({"email":"canary","\u0065mail":"canary"})",
           R"({"a":{"b":1,"c":{"d":1},"b":"canary"}})",
           R"([{"a":1},{"a":1,"a":"canary"}])",
           R"({"x":{"é":1,"\u00e9":"canary"}})",
       }) {
    EXPECT_THAT(refused(setting, text, {"canary"}), HasSubstr("same name twice")) << text;
  }
  std::string many = "{";
  for (int i = 0; i < 300; ++i) many += fmt::format("\"name{}\":{{\"a\":{}}},", i, i);
  EXPECT_EQ(masked(setting, many + "\"z\":0}").size(), many.size() + 6);
  EXPECT_THAT(refused(setting, many + "\"name17\":\"canary\"}", {"canary"}),
              HasSubstr("same name twice"));
}

TEST(JsonMasker, RefusesTheSameNameTwiceWithinWhatIsMasked) {
  EXPECT_THAT(
      refused({.paths = {{"$.a", "redact"}}}, R"({"a":{"b":"canary","b":"canary"}})", {"canary"}),
      HasSubstr("same name twice"));
}

TEST(JsonMasker, RefusesOtherEncodings) {
  const Setting setting{.paths = {{"$.e", "redact"}}};
  const std::string text = R"({"e":"canary"})";
  const auto wide = [&](std::size_t before, std::size_t after) {
    std::string out;
    for (const char c : text) out += std::string(before, '\0') + c + std::string(after, '\0');
    return out;
  };
  for (const std::string& body : {"\xef\xbb\xbf" + text, wide(0, 1), wide(1, 0), wide(0, 3),
                                  wide(3, 0), "\xff\xfe" + wide(0, 1), "\xfe\xff" + wide(1, 0),
                                  "+/v8-" + text, std::string("\x0e") + text}) {
    refused(setting, body, {"canary", wide(0, 1).substr(10, 12)});
  }
}

TEST(JsonMasker, RefusesWhatIsNotUtf8) {
  const Setting setting{.paths = {{"$.e", "redact"}}};
  for (const char* bytes :
       {"\x80", "\xc0\xaf", "\xc3", "\xc3(", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff"}) {
    EXPECT_THAT(refused(setting, fmt::format("{{\"{}\":\"canary\"}}", bytes), {"canary"}),
                HasSubstr("UTF-8"));
    refused(setting, fmt::format("[\"{}\"]", bytes));
  }
}

TEST(JsonMasker, RefusesNamesThatReadersDifferAbout) {
  const Setting setting{.paths = {{"$.email", "redact"}}};
  for (const char* name : {"\\ud800", "\\udc00", "\\ud83dx", "\\ud800\\u0041", "email\\u0000",
                           "\\ud83d\\ud83d\\ude00"}) {
    refused(setting, fmt::format(R"({{"{}":"canary"}})", name), {"canary"});
  }
  EXPECT_EQ(masked(setting, R"({"\ud83d\ude00":"x"})"), R"({"\ud83d\ude00":"x"})");
}

TEST(JsonMasker, RefusesWhatIsNotJson) {
  const Setting setting{.paths = {{"$.e", "redact"}}};
  for (const char* text : {
           "{\"e\":\"canary\"",
           "{\"e\":\"canary",
           "{\"e\":\"canary\"}}",
           "{\"e\":\"canary\"} x",
           "{\"e\":\"canary\"}{}",
           "{\"e\":\"canary\",}",
           "{\"e\":\"canary\"]",
           "{'e':\"canary\"}",
           "{e:\"canary\"}",
           "[\"canary\",]",
           "[1 2]",
           "{\"e\" \"canary\"}",
           "{\"e\":\"can\nary\"}",
           "{\"e\":\"can\tary\"}",
           "{\"e\":\"canary\\x\"}",
           "{\"e\":\"canary\\u12g4\"}",
           "[01]",
           "[1.]",
           "[.5]",
           "[+1]",
           "[1e]",
           "[-]",
           "[0x10]",
           "[NaN]",
           "[Infinity]",
           "[tru]",
           "[nulll]",
           "[True]",
           "// comment\n[]",
           "[/*canary*/1]",
           ")]}',\n{\"e\":\"canary\"}",
           "callback({\"e\":\"canary\"})",
           "{\"e\"}",
           "{,}",
           "[,]",
           "{\"a\":}",
           "]",
           "}",
           ":",
           ",",
           "[",
           "\"",
           "-",
           "tr",
           "{\"e\":1,\"a\"",
       }) {
    refused(setting, text, {});
  }
}

TEST(JsonMasker, RefusesWhatIsTooDeepTooLongOrTooMany) {
  const JsonLimits limits{
      .depth_max = 8, .name_bytes_max = 16, .number_bytes_max = 8, .members_max = 20};
  const Setting setting{.paths = {{"$.e", "redact"}}, .limits = limits};
  EXPECT_EQ(masked(setting, "[[[[[[[[1]]]]]]]]").size(), 17u);
  EXPECT_THAT(refused(setting, "[[[[[[[[[1]]]]]]]]]"), HasSubstr("deeper than 8"));
  EXPECT_THAT(refused(setting, R"({"e":{"e":{"e":{"e":{"e":{"e":{"e":{"e":{"e":1}}}}}}}}})"),
              HasSubstr("deeper than 8"));
  masked(setting, R"({"0123456789abcdef":1})");
  EXPECT_THAT(refused(setting, R"({"0123456789abcdefg":1})"), HasSubstr("name above 16"));
  EXPECT_THAT(refused(setting, R"({"\u0065\u0065\u0065":1})"), HasSubstr("name above 16"));
  masked(setting, "12345678");
  EXPECT_THAT(refused(setting, "[123456789]"), HasSubstr("number above 8"));
  std::string many = "{";
  for (int i = 0; i < 20; ++i) many += fmt::format("{}\"{}\":0", i == 0 ? "" : ",", i);
  masked(setting, "[" + many + "}," + many + "}]");
  EXPECT_THAT(refused(setting, many + ",\"z\":1}"), HasSubstr("more than 20 names"));
}

TEST(JsonMasker, MasksLongTextsWithoutKeepingThem) {
  const Setting setting{.paths = {{"$.p", "partial"}, {"$.h", "hash"}, {"$.r", "redact"}}};
  const std::string text(200'000, 'x');
  const auto of = [&](const char* name) {
    const std::string body = fmt::format(R"({{"{}":"{}","a":1}})", name, text);
    const std::vector<std::size_t> ends{10, 70'000, 150'000};
    const Answer torn = mask_in_pieces(setting.plan(), setting, body, ends);
    const Answer whole = mask_in_pieces(setting.plan(), setting, body, {});
    EXPECT_EQ(torn, whole);
    return whole.out;
  };
  EXPECT_EQ(of("p"), R"({"p":"****","a":1})");
  EXPECT_EQ(of("h"), R"({"h":"****","a":1})");
  EXPECT_EQ(of("r"), R"({"r":"****","a":1})");
}

TEST(JsonMasker, TakesADocumentOnEveryLine) {
  const Setting setting{.paths = {{"$.e", "redact"}}, .lines = true};
  EXPECT_EQ(masked(setting, "{\"e\":\"a\"}\n{\"e\":1}\r\n\n[1]\n\"e\"\n17"),
            "{\"e\":\"****\"}\n{\"e\":null}\r\n\n[1]\n\"e\"\n17");
  EXPECT_EQ(masked(setting, ""), "");
  EXPECT_THAT(refused(setting, "{\"e\":\n\"canary\"}", {"canary"}), HasSubstr("line ends"));
  refused(setting, "{\"e\":1}{\"e\":2}\n");
  refused(setting, "{\"e\":\"canary\"}\n{\"e\":\"can", {"can"});
  refused(setting, "{}\n{\"a\":1,\"a\":2}\n");
  refused({.paths = setting.paths}, "{}\n{}");
}

TEST(JsonMasker, LooksThroughTextsNumbersAndNames) {
  const Setting setting{.detect = mask::Mode::mask};
  const std::vector<std::string> canaries = {"anna.smith", "4904023784846686", "219-09-9999",
                                             "ghp_R4jNX0JOc1tpTbvskfKzSS5G1E7VEb89SuAN"};
  const std::string text =
      R"({"note":"write to anna.smith@example.com, please","card":4904023784846686,)"
      R"("n":[4904023784846686,17,-4904023784846686],"anna.smith@example.com":true,)"
      R"("ssn":"219-09-9999","token":"ghp_R4jNX0JOc1tpTbvskfKzSS5G1E7VEb89SuAN",)"
      R"("escaped":"anna.smith\u0040example.com","inner":"{\"card\":\"4904023784846686\"}"})";
  const Answer answer = mask_everywhere(setting, text, canaries);
  EXPECT_EQ(answer.error, "");
  EXPECT_THAT(answer.out, HasSubstr(R"("note":"write to a*********@e******.com, please")"));
  EXPECT_THAT(answer.out, HasSubstr(R"("card":null,"n":[null,17,null])"));
  EXPECT_THAT(answer.out, HasSubstr(R"("escaped":"a*********@e******.com")"));
  EXPECT_GE(answer.masked.found[static_cast<std::size_t>(mask::Detector::email)], 3u);
  EXPECT_EQ(mask_everywhere({.detect = mask::Mode::report}, text).out, text);
}

TEST(JsonMasker, LooksThroughLongTextsInWindows) {
  const Setting setting{.detect = mask::Mode::mask};
  const Plan plan = setting.plan();
  for (const std::size_t before : {65'400ul, 65'530ul, 130'000ul}) {
    const std::string filler(before, '-');
    const std::string body =
        fmt::format(R"({{"a":"{}\n\u00e9 anna.smith@example.com {}","b":1}})", filler, filler);
    for (const std::size_t piece : {1ul, 7ul, 4096ul, 1'000'000ul}) {
      if (piece == 1 && before > 70'000) continue;
      std::vector<std::size_t> ends;
      for (std::size_t at = piece; at < body.size(); at += piece) ends.push_back(at);
      const Answer answer = mask_in_pieces(plan, setting, body, ends);
      EXPECT_EQ(answer.error, "");
      EXPECT_FALSE(answer.out.contains("anna.smith")) << before << " in pieces of " << piece;
      EXPECT_THAT(answer.out, HasSubstr("a*********@e******.com"));
      EXPECT_TRUE(answer.out.ends_with("\",\"b\":1}"));
    }
  }
}

TEST(JsonMasker, GivesNothingOfAPieceThatIsRefused) {
  const Setting setting{.paths = {{"$.e", "redact"}}};
  JsonMasker masker(setting.plan());
  ByteVector out;
  ASSERT_TRUE(masker.feed(as_bytes("{\"a\":1,"), out));
  const ByteVector before = out;
  EXPECT_FALSE(masker.feed(as_bytes("\"b\":\"leak\",\"a\":2}"), out));
  EXPECT_EQ(out, before);
}

TEST(JsonMasker, AgreesWithItselfOnRandomDocumentsTornAnywhere) {
  std::mt19937 random(11);
  const auto any = [&](std::size_t below) { return random() % below; };
  const std::vector<std::string> names = {"e", "\\u0065", "a", "long-name", "x.y", "b"};
  const std::vector<std::string> scalars = {"1",
                                            "-0.25e-3",
                                            "true",
                                            "null",
                                            "\"\"",
                                            "\"canary\"",
                                            "\"\\ud83d\\ude00 canary\"",
                                            "\"anna.smith@example.com\"",
                                            "123456789012"};
  std::function<std::string(int)> value = [&](int depth) -> std::string {
    if (depth == 0 || any(3) == 0) return scalars[any(scalars.size())];
    const bool object = any(2) == 0;
    std::string out = object ? "{" : "[";
    for (std::size_t i = 0; i < any(4); ++i) {
      if (i > 0) out += any(2) == 0 ? "," : " ,\n";
      if (object)
        out += "\"" + (any(8) == 0 ? "" : std::to_string(i)) + names[any(names.size())] + "\":";
      out += value(depth - 1);
    }
    return out + (object ? "}" : "]");
  };
  const Setting setting{.paths = {{"$..e", "partial"}, {"$..a", "redact"}},
                        .detect = mask::Mode::mask};
  for (int i = 0; i < 150; ++i) mask_everywhere(setting, value(5));
}

}  // namespace
}  // namespace sallyport::content
