#pragma once
// BodyMasker: the body of a response, by what its headers say it is: without its Content-Encoding,
// and masked. What cannot be masked where a mask is due is refused. It is what a protocol calls;
// the parts are decoder.h, media_type.h, json_masker.h, event_stream.h.

#include <memory>
#include <span>
#include <string_view>
#include <variant>

#include "content/decoder.h"
#include "content/event_stream.h"
#include "content/json_masker.h"
#include "content/media_type.h"

namespace sallyport::content {

struct BodyLimits {
  DecodeLimits decode;
  JsonLimits json;
};

class BodyMasker {
 public:
  /// The values of all headers of these names. Fails (Errc::denied) where a mask is due and bodies
  /// of this kind cannot be masked, and (Errc::malformed) where the headers make no sense.
  static Result<BodyMasker> make(std::span<const std::string_view> content_type,
                                 std::span<const std::string_view> content_encoding, Plan plan,
                                 const BodyLimits& limits = {});

  /// False: the body goes by as it came, with its headers. True: it is another now; of the
  /// response's headers those must go for which stale_header() is true, and its length is unknown.
  bool changes() const { return changes_; }
  static bool stale_header(std::string_view lower_case_name);

  /// Takes from the front of `input` and appends to `out`. False when `out` has enough for now
  /// (about 64 KB): send it and call again, with what is left. True when all was taken. After a
  /// failure nothing more of the body may be sent, and its end must not look like one.
  Result<bool> feed(Bytes& input, ByteVector& out);
  /// When the message has ended. Fails where the body is cut off.
  Result<void> finish(ByteVector& out);

  Masked masked() const;

 private:
  /// Texts without a form that masks know: detectors only.
  struct Text {
    mask::Masker* detectors;
    std::unique_ptr<mask::TextStream> stream;
    mask::Findings findings;
    Masked masked;
  };
  using Form = std::variant<std::monostate, JsonMasker, EventStreamMasker, Text>;

  BodyMasker() = default;
  Result<void> mask(Bytes piece, ByteVector& out);

  std::unique_ptr<Decoder> decoder_;
  Form form_;
  bool changes_ = false;
};

}  // namespace sallyport::content
