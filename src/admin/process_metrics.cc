#include "admin/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>

#include "base/metrics.h"

namespace sallyport::admin {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

ProcessMetrics::ProcessMetrics(std::string_view version, std::string_view commit,
                               const Clock& clock)
    : clock_(clock), started_(clock.steady()) {
  metrics::gauge("sallyport_build_info", "Always 1; the labels say which build runs.",
                 {{"version", std::string(version)}, {"commit", std::string(commit)}})
      .set(1);
  metrics::gauge("process_start_time_seconds", "When the process started, in Unix time.")
      .set(std::chrono::duration<double>(clock.now().time_since_epoch()).count());
}

void ProcessMetrics::update() {
  static auto& uptime =
      metrics::gauge("sallyport_uptime_seconds", "Since the process was ready to start.");
  uptime.set(std::chrono::duration<double>(clock_.steady() - started_).count());
  update_cpu();
  update_memory();
  update_descriptors();
}

void ProcessMetrics::update_cpu() {
  static auto& cpu = metrics::counter("process_cpu_seconds_total", "User and system CPU time.");
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return;
  cpu.add(seconds(usage.ru_utime) + seconds(usage.ru_stime) - cpu.value());
}

void ProcessMetrics::update_memory() {
  static auto& resident = metrics::gauge("process_resident_memory_bytes", "Memory that is in RAM.");
  static auto& all = metrics::gauge("process_virtual_memory_bytes", "Memory that is mapped.");
  std::ifstream statm("/proc/self/statm");
  double all_pages = 0;
  double resident_pages = 0;
  if (!(statm >> all_pages >> resident_pages)) return;
  const auto page_bytes = static_cast<double>(::sysconf(_SC_PAGESIZE));
  all.set(all_pages * page_bytes);
  resident.set(resident_pages * page_bytes);
}

void ProcessMetrics::update_descriptors() {
  static auto& open = metrics::gauge("process_open_fds", "Open file descriptors.");
  static auto& most = metrics::gauge("process_max_fds", "The limit of open file descriptors.");
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) most.set(static_cast<double>(limit.rlim_cur));
  const auto close = [](DIR* directory) { ::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close)> directory(::opendir("/proc/self/fd"), close);
  if (!directory) return;
  int entries = 0;
  while (::readdir(directory.get())) ++entries;
  open.set(entries - 3);  // without ".", ".." and the directory itself
}

}  // namespace sallyport::admin
