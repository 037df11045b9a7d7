// The process's own metrics follow the process.

#include "admin/process_metrics.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/metrics.h"

namespace sallyport::admin {
namespace {

class SteppedClock final : public Clock {
 public:
  WallTime now() const override { return WallTime(std::chrono::seconds(1'800'000'000)); }
  SteadyTime steady() const override { return at; }
  SteadyTime at{};
};

double value(std::string_view name) {
  return metrics::gauge(name, "").value();
}

TEST(ProcessMetrics, CountOpenDescriptors) {
  ProcessMetrics process("1.2.3", "abc");
  process.update();
  const auto before = value("process_open_fds");
  const std::ifstream one_more("/proc/self/stat");
  process.update();
  EXPECT_EQ(value("process_open_fds"), before + 1);
  EXPECT_GE(value("process_max_fds"), value("process_open_fds"));
}

TEST(ProcessMetrics, MeasureMemoryAndCpu) {
  ProcessMetrics process("1.2.3", "abc");
  process.update();
  EXPECT_GT(value("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(value("process_virtual_memory_bytes"), value("process_resident_memory_bytes"));
  auto& cpu = metrics::counter("process_cpu_seconds_total", "");
  const auto before = cpu.value();
  EXPECT_GT(before, 0);
  for (int i = 0; i < 1000 && cpu.value() < before + 0.02; ++i) {
    volatile unsigned sum = 0;
    for (unsigned n = 0; n < 1'000'000; ++n) sum = sum + n;
    process.update();
  }
  EXPECT_GE(cpu.value(), before + 0.02);
}

TEST(ProcessMetrics, TellTheTimesOfTheClockTheyWereGiven) {
  SteppedClock clock;
  ProcessMetrics process("1.2.3", "abc", clock);
  clock.at += std::chrono::seconds(90);
  process.update();
  EXPECT_EQ(value("sallyport_uptime_seconds"), 90);
  EXPECT_EQ(value("process_start_time_seconds"), 1'800'000'000);
}

}  // namespace
}  // namespace sallyport::admin
