#include "content/media_type.h"

#include <algorithm>

#include "http/text.h"

namespace sallyport::content {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  /// In lower case; empty if there is none.
  std::string token() {
    std::string out;
    while (!at_end() && http::is_token_char(text_[at_])) {
      out += http::to_lower(text_[at_++]);
    }
    return out;
  }
  std::optional<std::string> quoted() {
    std::string out;
    while (!at_end() && text_[at_] != '"') {
      if (text_[at_] == '\\' && ++at_ == text_.size()) return std::nullopt;
      const char c = text_[at_++];
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
      out += http::to_lower(c);
    }
    if (!take('"')) return std::nullopt;
    return out;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

bool any_of(std::string_view essence, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, essence) != names.end();
}

}  // namespace

Result<MediaType> parse_media_type(std::string_view value) {
  const auto wrong = [] { return fail(Errc::malformed, "a Content-Type that is not one"); };
  Reader in(value);
  in.skip_space();
  MediaType type;
  const std::string main = in.token();
  if (main.empty() || !in.take('/')) return wrong();
  const std::string sub = in.token();
  if (sub.empty()) return wrong();
  type.essence = main + "/" + sub;
  for (in.skip_space(); !in.at_end(); in.skip_space()) {
    if (!in.take(';')) return wrong();
    in.skip_space();
    if (in.at_end()) break;
    const std::string name = in.token();
    if (name.empty() || !in.take('=')) return wrong();
    std::optional<std::string> parameter = in.take('"') ? in.quoted() : in.token();
    if (!parameter || parameter->empty()) return wrong();
    if (name != "charset") continue;
    if (type.charset) return wrong();
    type.charset = std::move(parameter);
  }
  return type;
}

Form form_of(const MediaType& type) {
  const std::string_view essence = type.essence;
  if (any_of(essence,
             {"application/x-ndjson", "application/ndjson", "application/jsonl",
              "application/x-jsonlines", "application/jsonlines", "application/stream+json"})) {
    return Form::json_lines;
  }
  if (any_of(essence, {"application/json", "text/json"}) || essence.ends_with("+json")) {
    return Form::json;
  }
  if (essence == "text/event-stream") return Form::event_stream;
  if (essence.ends_with("+xml") ||
      any_of(essence,
             {"application/xml", "application/javascript", "application/x-javascript",
              "application/graphql", "application/yaml", "application/x-yaml",
              "application/x-www-form-urlencoded", "application/sql", "application/manifest"})) {
    return Form::text;
  }
  if (essence.starts_with("text/")) return Form::text;
  if (essence.starts_with("image/") || essence.starts_with("audio/") ||
      essence.starts_with("video/") || essence.starts_with("font/") ||
      any_of(essence, {"application/wasm", "application/font-woff", "application/font-woff2",
                       "application/vnd.ms-fontobject"})) {
    return Form::media;
  }
  return Form::other;
}

bool is_utf8_charset(const MediaType& type) {
  return !type.charset || any_of(*type.charset, {"utf-8", "utf8", "us-ascii", "ascii"});
}

}  // namespace sallyport::content
