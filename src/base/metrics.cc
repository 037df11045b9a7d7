#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <mutex>
#include <utility>

#include "base/check.h"

namespace sallyport::metrics {
namespace {

/// The series of one type. `Series` is ours, `Theirs` the library's.
template <class Series, class Theirs>
struct Table {
  struct Family {
    prometheus::Family<Theirs>* theirs = nullptr;
    std::map<Labels, std::unique_ptr<Series>> series;
  };
  std::map<std::string, Family, std::less<>> families;
};

struct Everything {
  std::mutex mutex;  // only for looking up; the series themselves are atomic
  prometheus::Registry registry;
  Table<Counter, prometheus::Counter> counters;
  Table<Gauge, prometheus::Gauge> gauges;
  Table<Histogram, prometheus::Histogram> histograms;

  bool has(std::string_view name) const {
    return counters.families.contains(name) || gauges.families.contains(name) ||
           histograms.families.contains(name);
  }
};

Everything& everything() {
  // Never destroyed: threads may still count while the process ends.
  static auto* all = new Everything;
  return *all;
}

template <class Series, class Theirs, class Builder, class... Extra>
Series& find_or_make(Table<Series, Theirs>& table, Builder builder, std::string_view name,
                     std::string_view help, const Labels& labels, const Extra&... extra) {
  auto& all = everything();
  const std::lock_guard lock(all.mutex);
  auto at = table.families.find(name);
  if (at == table.families.end()) {
    SALLYPORT_CHECK(name.starts_with("sallyport_") || name.starts_with("process_"));
    SALLYPORT_CHECK(!all.has(name));
    at = table.families.try_emplace(std::string(name)).first;
    at->second.theirs =
        &builder.Name(std::string(name)).Help(std::string(help)).Register(all.registry);
  }
  auto& family = at->second;
  if (const auto known = family.series.find(labels); known != family.series.end()) {
    return *known->second;
  }
  if (family.series.size() >= series_per_name_max && !labels.contains("overflow")) {
    static const Labels overflow{{"overflow", "true"}};
    auto& shared = family.series[overflow];
    if (!shared) shared = std::make_unique<Series>(family.theirs->Add(overflow, extra...));
    return *shared;
  }
  auto& made = family.series[labels];
  made = std::make_unique<Series>(family.theirs->Add(labels, extra...));
  return *made;
}

}  // namespace

void Counter::add(double amount) {
  if (amount > 0) series_.Increment(amount);
}

double Counter::value() const {
  return series_.Value();
}

void Gauge::set(double value) {
  series_.Set(value);
}

void Gauge::add(double amount) {
  series_.Increment(amount);
}

void Gauge::sub(double amount) {
  series_.Decrement(amount);
}

double Gauge::value() const {
  return series_.Value();
}

void Histogram::observe(double value) {
  series_.Observe(value);
}

const std::vector<double>& latency_buckets_s() {
  static const std::vector<double> buckets{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                           0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                           1,      2.5,     5,      10};
  return buckets;
}

Counter& counter(std::string_view name, std::string_view help, const Labels& labels) {
  return find_or_make(everything().counters, prometheus::BuildCounter(), name, help, labels);
}

Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels) {
  return find_or_make(everything().gauges, prometheus::BuildGauge(), name, help, labels);
}

Histogram& histogram(std::string_view name, std::string_view help, const Labels& labels,
                     const std::vector<double>& buckets) {
  return find_or_make(everything().histograms, prometheus::BuildHistogram(), name, help, labels,
                      buckets);
}

}  // namespace sallyport::metrics

namespace sallyport {

std::string metrics_text() {
  return prometheus::TextSerializer().Serialize(metrics::everything().registry.Collect());
}

}  // namespace sallyport
