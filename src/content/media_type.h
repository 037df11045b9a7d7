#pragma once
// What a body is by its Content-Type (RFC 9110 section 8.3), as far as masks have to know.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport::content {

struct MediaType {
  std::string essence;                 // "application/json", lower case
  std::optional<std::string> charset;  // lower case
};

/// Strict: one type, parameters with values, none twice.
Result<MediaType> parse_media_type(std::string_view value);

enum class Form : std::uint8_t {
  json,          // application/json, text/json, anything +json
  json_lines,    // application/x-ndjson, application/jsonl
  event_stream,  // text/event-stream
  text,          // texts of another form: detectors can look through them
  media,         // pictures, fonts, sound, films: there is no text to look through
  other,         // what only its reader understands: archives, documents, multipart
};
Form form_of(const MediaType& type);

/// True for UTF-8 and what is part of it, and for a type without a charset.
bool is_utf8_charset(const MediaType& type);

}  // namespace sallyport::content
