#pragma once
// JsonWriter: builds the text of one JSON object straight into a string, because every command pays
// for it. Whatever bytes come in, valid UTF-8 without raw control characters goes out.

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::ledger {

/// `text` as a JSON string with its quotes. A byte that is not UTF-8 becomes U+FFFD.
void append_json_string(std::string& to, std::string_view text);

/// A name that stands in the source: the compiler has seen that it needs no escaping.
class JsonKey {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a literal is meant
  consteval JsonKey(const char* literal) : text_(literal) {
    for (const char c : text_) {
      if (!plain(c)) throw "a key must need no escaping";
    }
  }
  std::string_view text() const { return text_; }

  static constexpr bool plain(char c) {
    // No short circuits: many at once become vector instructions.
    return bool((c >= 0x20) & (c < 0x7F) & (c != '"') & (c != '\\'));
  }

 private:
  std::string_view text_;
};

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return shut('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return shut(']'); }
  JsonWriter& key(JsonKey name) {
    const std::string_view text = name.text();
    char* at = room(text.size() + 4);
    if (!fresh_) *at++ = ',';
    *at++ = '"';
    at = std::copy_n(text.data(), text.size(), at);
    *at++ = '"';
    *at++ = ':';
    used(at);
    fresh_ = true;
    return *this;
  }
  /// A key that comes from outside.
  JsonWriter& named(std::string_view name) {
    value(name);
    put(':');
    fresh_ = true;
    return *this;
  }

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool yes) { return raw(yes ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  JsonWriter& value(T number) {
    constexpr std::size_t digits_max = 24;
    comma();
    char* const at = room(digits_max);
    used(std::to_chars(at, at + digits_max, number).ptr);
    return *this;
  }

  template <class T>
  JsonWriter& field(JsonKey name, const T& content) {
    return key(name).value(content);
  }
  template <class Range>
  JsonWriter& strings(JsonKey name, const Range& list) {
    key(name).begin_array();
    for (const auto& item : list) value(std::string_view(item));
    return end_array();
  }
  /// Takes in `json`, which must be the text of one JSON value.
  JsonWriter& raw(std::string_view json) {
    comma();
    used(std::copy_n(json.data(), json.size(), room(json.size())));
    return *this;
  }

  std::string take() {
    text_.resize(size_);
    size_ = 0;
    return std::move(text_);
  }

 private:
  // Most records are shorter, and malloc keeps blocks of this size at hand.
  static constexpr std::size_t bytes_at_first = 1000;

  JsonWriter& open(char bracket) {
    comma();
    put(bracket);
    fresh_ = true;
    return *this;
  }
  JsonWriter& shut(char bracket) {
    put(bracket);
    fresh_ = false;
    return *this;
  }
  void comma() {
    if (!fresh_) put(',');
    fresh_ = false;
  }
  void put(char c) {
    char* const at = room(1);
    *at = c;
    used(at + 1);
  }

  /// Where the next characters go, so many at most; used() tells how far they went.
  char* room(std::size_t size) {
    if (text_.size() - size_ < size) grow(size);
    return text_.data() + size_;
  }
  void used(const char* end) { size_ = static_cast<std::size_t>(end - text_.data()); }
  void grow(std::size_t size);

  std::string text_;      // as long as it may become without growing
  std::size_t size_ = 0;  // of what was written
  bool fresh_ = true;     // no comma before what comes next
};

}  // namespace sallyport::ledger
