#pragma once
// Metrics for the operator, over prometheus-cpp, whose headers stay in metrics.cc. Nothing here
// decides anything. A series lives for the life of the process: look it up once, where a part is
// made, and keep the reference; from then on it may be used from any thread without a lock.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace sallyport::metrics {

/// Values come from a small fixed set of the caller's, never from a client. Above
/// `series_per_name_max` all further label sets of a name share one series, {overflow="true"}.
using Labels = std::map<std::string, std::string>;
inline constexpr std::size_t series_per_name_max = 500;

class Counter {
 public:
  explicit Counter(prometheus::Counter& series) : series_(series) {}
  void add(double amount = 1);  // an amount below zero is ignored
  double value() const;

 private:
  prometheus::Counter& series_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge& series) : series_(series) {}
  void set(double value);
  void add(double amount = 1);
  void sub(double amount = 1);
  double value() const;

 private:
  prometheus::Gauge& series_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram& series) : series_(series) {}
  void observe(double value);

 private:
  prometheus::Histogram& series_;
};

/// 100 us to 10 s, for durations in seconds.
const std::vector<double>& latency_buckets_s();

/// The series of that name and labels; made on first use. Names start with `sallyport_` (or
/// `process_`, for what Prometheus itself names) and one name has one type: breaking that is a bug
/// and aborts.
Counter& counter(std::string_view name, std::string_view help, const Labels& labels = {});
Gauge& gauge(std::string_view name, std::string_view help, const Labels& labels = {});
Histogram& histogram(std::string_view name, std::string_view help, const Labels& labels = {},
                     const std::vector<double>& buckets = latency_buckets_s());

/// Adds one to a gauge for as long as it lives.
class InFlight {
 public:
  explicit InFlight(Gauge& gauge) : gauge_(gauge) { gauge_.add(); }
  ~InFlight() { gauge_.sub(); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  Gauge& gauge_;
};

}  // namespace sallyport::metrics

namespace sallyport {

/// All series in the Prometheus text format, version 0.0.4.
std::string metrics_text();

}  // namespace sallyport
