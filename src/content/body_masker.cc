#include "content/body_masker.h"

#include <algorithm>
#include <array>

namespace sallyport::content {
namespace {

constexpr std::size_t enough_bytes = std::size_t{64} * 1024;

std::unexpected<Error> cannot_mask(std::string_view why) {
  return fail(Errc::denied,
              "this answer would have to be masked, and cannot be: " + std::string(why));
}

}  // namespace

bool BodyMasker::stale_header(std::string_view name) {
  // Besides the encoding and the length: what vouches for the bytes, or offers parts of them.
  static constexpr std::array<std::string_view, 9> stale{
      "content-encoding", "content-length", "content-md5",   "content-digest", "digest",
      "repr-digest",      "etag",           "accept-ranges", "content-range"};
  return std::ranges::find(stale, name) != stale.end();
}

Result<BodyMasker> BodyMasker::make(std::span<const std::string_view> content_type,
                                    std::span<const std::string_view> content_encoding, Plan plan,
                                    const BodyLimits& limits) {
  BodyMasker body;
  if (plan.idle()) return body;
  const bool classified = plan.masks_something();
  const bool masks = classified || plan.detectors->mode() == mask::Mode::mask;
  if (content_type.size() > 1) return fail(Errc::malformed, "more than one Content-Type");
  if (content_type.empty()) {
    if (masks) return cannot_mask("it has no Content-Type");
    return body;
  }
  auto type = parse_media_type(content_type.front());
  if (!type) return fail(type);
  const content::Form form = form_of(*type);
  switch (form) {
    case content::Form::json:
    case content::Form::json_lines:
    case content::Form::event_stream:
      if (!is_utf8_charset(*type)) return cannot_mask("its charset is not UTF-8");
      break;
    case content::Form::text:
      if (classified) return cannot_mask("only JSON is masked by class");
      if (!is_utf8_charset(*type) && type->charset != "iso-8859-1" &&
          type->charset != "windows-1252") {
        if (masks) return cannot_mask("detectors do not know its charset");
        return body;
      }
      break;
    case content::Form::media:
      if (classified) return cannot_mask("only JSON is masked by class");
      return body;
    case content::Form::other:
      if (masks) return cannot_mask("bodies of its Content-Type are not looked through");
      return body;
  }
  auto encoding = encoding_of(content_encoding);
  if (!encoding) return fail(encoding);
  auto decoder = make_decoder(*encoding, limits.decode);
  if (!decoder) return fail(decoder);
  body.decoder_ = *std::move(decoder);
  body.changes_ = true;
  if (form == content::Form::event_stream) {
    body.form_.emplace<EventStreamMasker>(std::move(plan), limits.json);
  } else if (form == content::Form::text) {
    Text text{.detectors = plan.detectors, .stream = std::make_unique<mask::TextStream>()};
    text.stream->begin({});
    body.form_ = std::move(text);
  } else {
    body.form_.emplace<JsonMasker>(std::move(plan), limits.json, form == content::Form::json_lines);
  }
  return body;
}

Result<bool> BodyMasker::feed(Bytes& input, ByteVector& out) {
  const std::size_t before = out.size();
  while (true) {
    Bytes piece = input;
    if (decoder_ == nullptr) {
      input = {};
    } else {
      auto decoded = decoder_->take(input);
      if (!decoded) return fail(decoded);
      piece = *decoded;
    }
    if (piece.empty()) return true;
    if (auto done = mask(piece, out); !done) return fail(done);
    if (decoder_ == nullptr) return true;
    if (out.size() - before >= enough_bytes) return false;
  }
}

Result<void> BodyMasker::mask(Bytes piece, ByteVector& out) {
  if (auto* json = std::get_if<JsonMasker>(&form_)) return json->feed(piece, out);
  if (auto* events = std::get_if<EventStreamMasker>(&form_)) return events->feed(piece, out);
  if (auto* text = std::get_if<Text>(&form_)) {
    auto done = text->stream->feed(*text->detectors, as_text(piece), false, out, text->findings);
    text->masked.add(text->findings);
    return done;
  }
  append(out, piece);
  return ok();
}

Result<void> BodyMasker::finish(ByteVector& out) {
  if (decoder_ != nullptr) {
    if (auto done = decoder_->finish(); !done) return done;
  }
  if (auto* json = std::get_if<JsonMasker>(&form_)) return json->finish(out);
  if (auto* events = std::get_if<EventStreamMasker>(&form_)) return events->finish();
  if (auto* text = std::get_if<Text>(&form_)) {
    auto done = text->stream->feed(*text->detectors, {}, true, out, text->findings);
    text->masked.add(text->findings);
    return done;
  }
  return ok();
}

Masked BodyMasker::masked() const {
  if (const auto* json = std::get_if<JsonMasker>(&form_)) return json->masked();
  if (const auto* events = std::get_if<EventStreamMasker>(&form_)) return events->masked();
  if (const auto* text = std::get_if<Text>(&form_)) return text->masked;
  return {};
}

}  // namespace sallyport::content
