#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

#include "base/clock.h"

namespace sallyport::log {
namespace {

std::atomic<Level> least{Level::info};
std::atomic<Format> format{Format::text};

spdlog::logger& sink() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("sallyport",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

std::string_view name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warn:
      return "warn";
    case Level::error:
      return "error";
  }
  return "error";
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  append_escaped(out, text);
  out.push_back('"');
}

bool plain(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '"' || c == '\\' || c == '=') return false;
  }
  return !text.empty();
}

}  // namespace

void configure(Level level, Format chosen) {
  least = level;
  format = chosen;
}

void write(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (level < least) return;
  const std::string now = to_iso8601(system_clock().now());
  std::string line;
  if (format == Format::json) {
    line = fmt::format(R"({{"time":"{}","level":"{}","event":)", now, name(level));
    append_quoted(line, event);
    for (const Field& field : fields) {
      line.push_back(',');
      append_quoted(line, field.key);
      line.push_back(':');
      if (field.quoted) {
        append_quoted(line, field.text);
      } else {
        line += field.text;
      }
    }
    line.push_back('}');
  } else {
    line = fmt::format("{} {:<5} {}", now, name(level), event);
    for (const Field& field : fields) {
      line += "  ";
      line += field.key;
      line.push_back('=');
      if (plain(field.text)) {
        line += field.text;
      } else {
        append_quoted(line, field.text);
      }
    }
  }
  sink().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace sallyport::log
