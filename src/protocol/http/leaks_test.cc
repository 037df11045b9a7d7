// A target that shows its callers what they sent does not show them the gateway's credential.

#include "protocol/http/leaks.h"

#include <gtest/gtest.h>

namespace sallyport::web {
namespace {

http::Headers fields(std::string name, std::string value) {
  http::Headers headers;
  headers.add(std::move(name), std::move(value));
  return headers;
}

/// What goes out, or "leak".
std::string passed(const std::vector<std::string>& secrets, std::string_view text,
                   std::size_t piece) {
  Leaks leaks(secrets);
  std::string out;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    if (!leaks.take(text.substr(0, piece), out)) return "leak";
  }
  leaks.finish(out);
  return out;
}

TEST(Leaks, FindASecretHoweverItIsTorn) {
  const std::vector<std::string> secrets{"abcabcabd", "0123456789"};
  const std::string text = "xx abcabcabcabd yy";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_EQ(passed(secrets, text, piece), "leak") << piece;
  }
}

TEST(Leaks, LetNothingOfASecretOutBeforeItIsFound) {
  const std::vector<std::string> secrets{"secret-of-target"};
  Leaks leaks(secrets);
  std::string out;
  ASSERT_TRUE(leaks.take("head secret-of-", out));
  EXPECT_EQ(out, "head ");
  EXPECT_FALSE(leaks.take("target tail", out));
  EXPECT_EQ(out, "head ");
}

TEST(Leaks, PassEverythingElseUnchanged) {
  const std::vector<std::string> secrets{"secret-of-target"};
  const std::string text = "secret-of-targe secret-of-targ ssecret-of- secret";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EXPECT_EQ(passed(secrets, text, piece), text) << piece;
  }
}

TEST(Leaks, KnowWhatIsSecretInAField) {
  EXPECT_EQ(secrets_of(fields("X-Api-Key", "0123456789")), std::vector<std::string>{"0123456789"});
  EXPECT_EQ(secrets_of(fields("Authorization", "Bearer abcdefgh.ijk")),
            std::vector<std::string>{"abcdefgh.ijk"});
  // "user:password1"
  EXPECT_EQ(secrets_of(fields("Authorization", "Basic dXNlcjpwYXNzd29yZDE=")),
            (std::vector<std::string>{"dXNlcjpwYXNzd29yZDE=", "password1"}));
  EXPECT_TRUE(secrets_of(fields("X-Key", "short")).empty());
  const std::vector<std::string> secrets{"0123456789"};
  EXPECT_TRUE(Leaks(secrets).in(fields("X-Echo", "a 0123456789 b")));
}

}  // namespace
}  // namespace sallyport::web
