// Startup settings: the server's own way of splitting options, and what may not be asked for.

#include "protocol/postgres/settings.h"

#include <gtest/gtest.h>

namespace sallyport::postgres {
namespace {

StartupMessage with(std::vector<Setting> parameters) {
  parameters.insert(parameters.begin(), {"user", "alice"});
  return {.version = protocol_3_0, .parameters = std::move(parameters)};
}

TEST(PostgresOptions, AreSplitAsTheServerDoes) {
  const auto settings = parse_options("-c datestyle=ISO  --time-zone=UTC -cextra_float_digits=3");
  ASSERT_TRUE(settings.has_value());
  EXPECT_EQ(*settings,
            (std::vector<Setting>{
                {"datestyle", "ISO"}, {"time_zone", "UTC"}, {"extra_float_digits", "3"}}));
  EXPECT_EQ(parse_options(R"(-c a=x\ y\\z)").value(), (std::vector<Setting>{{"a", R"(x y\z)"}}));
}

TEST(PostgresOptions, RefuseWhatIsNotASetting) {
  for (const char* options : {"-c", "-c=", "-c =x", "-d 5", "x", "-c a", "--=1", "\\"}) {
    EXPECT_FALSE(parse_options(options).has_value()) << options;
  }
}

TEST(PostgresStartup, TakesWhatDriversSend) {
  const auto checked = check_startup(with({{"database", "shop"},
                                           {"application_name", "psql"},
                                           {"client_encoding", "UTF-8"},
                                           {"DateStyle", "ISO"},
                                           {"TimeZone", "Europe/Zurich"},
                                           {"extra_float_digits", "2"},
                                           {"replication", "false"}}));
  ASSERT_TRUE(checked.has_value()) << checked.error().detail;
  EXPECT_EQ(checked->application_name, "psql");
  EXPECT_EQ(checked->settings.size(), 3u);
}

TEST(PostgresStartup, RefusesWhatSteersTheServer) {
  const std::vector<Setting> refused = {{"replication", "database"},
                                        {"client_encoding", "SJIS"},
                                        {"standard_conforming_strings", "off"},
                                        {"role", "postgres"},
                                        {"session_authorization", "postgres"},
                                        {"search_path", "evil"},
                                        {"options", "-c search_path=evil"},
                                        {"options", "-c role=postgres"},
                                        {"options", "-c ROLE=postgres"},
                                        {"options", "--default-transaction-read-only=off"},
                                        {"local_preload_libraries", "x"}};
  for (const Setting& setting : refused) {
    EXPECT_FALSE(check_startup(with({setting})).has_value()) << setting.first << setting.second;
  }
}

TEST(PostgresSearchPath, ReadsIdentifiersOnly) {
  EXPECT_EQ(parse_search_path("public, \"My \"\"x\"").value(),
            (std::vector<std::string>{"public", "My \"x"}));
  const std::vector<std::string> odd{"a\"b", "C, d", "public"};
  EXPECT_EQ(parse_search_path(to_search_path(odd)).value(), odd);
  EXPECT_TRUE(parse_search_path("").value().empty());
  for (const char* path : {"\"$user\", public", "$user", "a,", "a b", "\"open", "a;b", "A"}) {
    EXPECT_FALSE(parse_search_path(path).has_value()) << path;
  }
}

}  // namespace
}  // namespace sallyport::postgres
