// Metrics: what is counted is what is shown, and no label set can grow without end.

#include "base/metrics.h"

#include <gtest/gtest.h>

#include <thread>

namespace sallyport {
namespace {

TEST(Metrics, OneNameAndLabelsIsOneSeries) {
  auto& first = metrics::counter("sallyport_test_one_total", "For this test.", {{"kind", "a"}});
  auto& again = metrics::counter("sallyport_test_one_total", "For this test.", {{"kind", "a"}});
  auto& other = metrics::counter("sallyport_test_one_total", "For this test.", {{"kind", "b"}});
  EXPECT_EQ(&first, &again);
  EXPECT_NE(&first, &other);
  first.add();
  again.add(2);
  first.add(-5);
  EXPECT_EQ(first.value(), 3);
  EXPECT_NE(metrics_text().find("sallyport_test_one_total{kind=\"a\"} 3"), std::string::npos);
  EXPECT_NE(metrics_text().find("# TYPE sallyport_test_one_total counter"), std::string::npos);
}

TEST(Metrics, CountsFromManyThreadsLoseNothing) {
  auto& count = metrics::counter("sallyport_test_threads_total", "For this test.");
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&count] {
        for (int n = 0; n < 10'000; ++n) count.add();
      });
    }
  }
  EXPECT_EQ(count.value(), 40'000);
}

TEST(Metrics, GaugeFollowsWhatIsInFlight) {
  auto& gauge = metrics::gauge("sallyport_test_in_flight", "For this test.");
  {
    const metrics::InFlight one(gauge);
    EXPECT_EQ(gauge.value(), 1);
  }
  EXPECT_EQ(gauge.value(), 0);
}

TEST(Metrics, HistogramCountsIntoItsBuckets) {
  auto& histogram = metrics::histogram("sallyport_test_seconds", "For this test.", {}, {0.1, 1});
  histogram.observe(0.05);
  histogram.observe(0.5);
  histogram.observe(5);
  const auto text = metrics_text();
  EXPECT_NE(text.find("sallyport_test_seconds_bucket{le=\"0.1\"} 1"), std::string::npos) << text;
  EXPECT_NE(text.find("sallyport_test_seconds_bucket{le=\"1\"} 2"), std::string::npos);
  EXPECT_NE(text.find("sallyport_test_seconds_count 3"), std::string::npos);
}

TEST(Metrics, LabelSetsOfOneNameAreBounded) {
  const metrics::Counter* last = nullptr;
  for (std::size_t i = 0; i < metrics::series_per_name_max + 50; ++i) {
    last = &metrics::counter("sallyport_test_many_total", "For this test.",
                             {{"value", std::to_string(i)}});
  }
  EXPECT_EQ(last, &metrics::counter("sallyport_test_many_total", "For this test.",
                                    {{"value", "one more"}}));
  EXPECT_NE(metrics_text().find("sallyport_test_many_total{overflow=\"true\"}"), std::string::npos);
}

TEST(MetricsDeathTest, OneNameHasOneType) {
  metrics::counter("sallyport_test_type_total", "For this test.");
  EXPECT_DEATH(metrics::gauge("sallyport_test_type_total", "For this test."), "");
  EXPECT_DEATH(metrics::counter("foreign_total", "For this test."), "");
}

}  // namespace
}  // namespace sallyport
