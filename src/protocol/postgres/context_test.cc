#include "protocol/postgres/context.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/crypto.h"

namespace sallyport::postgres {
namespace {

using namespace std::chrono_literals;

constexpr WallTime now{std::chrono::seconds(1'800'000'000)};
const ContextKey key{.id = "k1", .key = "0123456789abcdef0123456789abcdef"};

Session session() {
  Session made;
  made.id = "s1";
  made.chain.identities = {{.id = "alice|'); drop table x; --", .issuer = "i", .groups = {"a.b"}},
                           {.kind = IdentityKind::agent, .id = "copilot"}};
  return made;
}

std::vector<std::string> parts(const std::string& text) {
  std::vector<std::string> all{""};
  for (const char c : text) {
    if (c == '.') {
      all.emplace_back();
    } else {
      all.back() += c;
    }
  }
  return all;
}

TEST(SessionContext, IsOfOneProcessAndOneTime) {
  const std::string text = session_context(key, {.pid = 42, .started_us = 7}, session(), now);
  const auto part = parts(text);
  ASSERT_EQ(part.size(), 7U);
  EXPECT_EQ(part[0], "v1");
  EXPECT_EQ(part[1], "k1");
  EXPECT_EQ(part[2], "42");
  EXPECT_EQ(part[3], "7");
  EXPECT_EQ(part[4], std::to_string(1'800'000'000 + 24 * 3600));
  const std::string signed_text = text.substr(0, text.rfind('.'));
  EXPECT_EQ(part[6], to_hex(hmac_sha256(as_bytes(key.key), as_bytes(signed_text))));
  // Whatever a name has in it, no quote can come out.
  for (const char c : text) EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c)) || c == '.');
}

TEST(SessionContext, EndsWithTheCredential) {
  Session made = session();
  made.authentication.expires_at = now + 60s;
  EXPECT_EQ(parts(session_context(key, {}, made, now))[4], "1800000060");
}

TEST(InstallContext, HoldsThePadsOfTheKeyAndNotTheKey) {
  const std::string sql = install_context_sql(key);
  EXPECT_EQ(sql.find(key.key), std::string::npos);
  EXPECT_EQ(sql.find(to_hex(as_bytes(key.key))), std::string::npos);
  EXPECT_NE(sql.find("values ('k1', '\\x06070405"), std::string::npos) << sql.substr(0, 1200);
  EXPECT_EQ(sql.find("{id}"), std::string::npos);
}

}  // namespace
}  // namespace sallyport::postgres
