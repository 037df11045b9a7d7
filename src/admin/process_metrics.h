#pragma once
// What Prometheus expects of every process (process_*), and which build this is.

#include <string_view>

#include "base/clock.h"

namespace sallyport::admin {

/// Reads /proc/self each time it is asked. What cannot be read keeps its last value.
class ProcessMetrics {
 public:
  ProcessMetrics(std::string_view version, std::string_view commit,
                 const Clock& clock = system_clock());

  /// Brings the series up to date; to be called before metrics_text(). Takes microseconds.
  void update();

 private:
  void update_cpu();
  void update_memory();
  void update_descriptors();

  const Clock& clock_;
  SteadyTime started_;
};

}  // namespace sallyport::admin
