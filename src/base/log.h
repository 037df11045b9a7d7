#pragma once
// The operator's log: one event a line, on stderr, as text or JSON. Values are escaped, so that no
// client can forge a line; secrets and tokens are never passed in.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace sallyport::log {

enum class Level : std::uint8_t { debug, info, warn, error };
enum class Format : std::uint8_t { text, json };

/// Call once, before threads start. The default is info and text.
void configure(Level level, Format format);

struct Field {
  Field(std::string_view key, std::string_view value) : key(key), text(value) {}
  Field(std::string_view key, const std::string& value) : key(key), text(value) {}
  Field(std::string_view key, const char* value) : key(key), text(value) {}
  Field(std::string_view key, bool value)
      : key(key), text(value ? "true" : "false"), quoted(false) {}
  template <std::integral T>
  Field(std::string_view key, T value) : key(key), text(std::to_string(value)), quoted(false) {}

  std::string_view key;
  std::string text;
  bool quoted = true;
};

/// `event` is a short fixed phrase ("session opened"); what varies goes into fields.
void write(Level level, std::string_view event, std::initializer_list<Field> fields);

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::debug, event, fields);
}
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::info, event, fields);
}
inline void warn(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::warn, event, fields);
}
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::error, event, fields);
}

}  // namespace sallyport::log
