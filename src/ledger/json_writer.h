#pragma once
// JsonWriter: builds the text of one JSON object straight into a string, because every command pays
// for it. Whatever bytes come in, valid UTF-8 without raw control characters goes out.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::ledger {

/// `text` as a JSON string with its quotes. A byte that is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& to, std::string_view text);

class JsonWriter {
 public:
  JsonWriter() { text_.reserve(512); }

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return shut('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return shut(']'); }
  JsonWriter& key(std::string_view name) {
    comma();
    append_json_string(text_, name);
    text_ += ':';
    fresh_ = true;
    return *this;
  }

  JsonWriter& value(std::string_view text) {
    comma();
    append_json_string(text_, text);
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool yes) { return raw(yes ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  JsonWriter& value(T number) {
    return raw(std::to_string(number));
  }

  template <class T>
  JsonWriter& field(std::string_view name, const T& content) {
    return key(name).value(content);
  }
  template <class Range>
  JsonWriter& strings(std::string_view name, const Range& list) {
    key(name).begin_array();
    for (const auto& item : list) value(std::string_view(item));
    return end_array();
  }
  /// Takes in `json`, which must be the text of one JSON value.
  JsonWriter& raw(std::string_view json) {
    comma();
    text_ += json;
    return *this;
  }

  std::string take() { return std::move(text_); }

 private:
  JsonWriter& open(char bracket) {
    comma();
    text_ += bracket;
    fresh_ = true;
    return *this;
  }
  JsonWriter& shut(char bracket) {
    text_ += bracket;
    fresh_ = false;
    return *this;
  }
  void comma() {
    if (!fresh_) text_ += ',';
    fresh_ = false;
  }

  std::string text_;
  bool fresh_ = true;  // no comma before what comes next
};

}  // namespace sallyport::ledger
