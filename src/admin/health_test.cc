// Health: what is not ready says so, and why.

#include "admin/health.h"

#include <gtest/gtest.h>

#include <string>

namespace sallyport::admin {
namespace {

TEST(Health, IsReadyWhenEveryCheckIs) {
  Health health("1.2.3", "abc");
  EXPECT_EQ(health.readiness().status, 200);
  health.add_check("ledger", [] { return ok(); });
  const auto ready = health.readiness();
  EXPECT_EQ(ready.status, 200);
  EXPECT_EQ(ready.body, R"({"status":"ready","checks":[{"name":"ledger","ok":true}]})"
                        "\n");
}

TEST(Health, OneFailingCheckIsShownWithItsDetail) {
  Health health("1.2.3", "abc");
  bool broken = true;
  health.add_check("ledger", [] { return ok(); });
  health.add_check("store", [&broken]() -> Result<void> {
    if (broken) return fail(Errc::unavailable, "no answer for 5 s");
    return ok();
  });
  const auto response = health.readiness();
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(response.body.find(R"("status":"not ready")"), std::string::npos);
  EXPECT_NE(response.body.find(R"({"name":"store","ok":false,"error":"unavailable",)"
                               R"("detail":"no answer for 5 s"})"),
            std::string::npos)
      << response.body;
  broken = false;
  EXPECT_EQ(health.readiness().status, 200);
}

TEST(Health, ANoticeIsShownAndChangesNothing) {
  Health health("1.2.3", "abc");
  std::string notice;
  health.add_notice("configuration", [&notice] { return notice; });
  EXPECT_NE(health.readiness().body.find(R"({"name":"configuration","ok":true})"),
            std::string::npos);
  notice = "the last reload was refused";
  const auto response = health.readiness();
  EXPECT_EQ(response.status, 200);
  EXPECT_NE(response.body.find(
                R"({"name":"configuration","ok":true,"detail":"the last reload was refused"})"),
            std::string::npos)
      << response.body;
}

TEST(Health, DrainingIsNotReady) {
  Health health("1.2.3", "abc");
  health.set_draining();
  EXPECT_EQ(health.readiness().status, 503);
  EXPECT_NE(health.readiness().body.find("draining"), std::string::npos);
}

TEST(HealthDeathTest, TwoChecksMayNotHaveOneName) {
  Health health("1.2.3", "abc");
  health.add_check("ledger", [] { return ok(); });
  EXPECT_DEATH(health.add_check("ledger", [] { return ok(); }), "");
}

}  // namespace
}  // namespace sallyport::admin
