// What is looked through on its way to a client keeps its length and its frame, whatever a server
// sends and however it arrives; what is told of an error names nothing but what may be told.

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "mask/masker.h"
#include "protocol/postgres/detection.h"
#include "protocol/postgres/guarded_errors.h"

namespace sallyport::postgres {
namespace {

std::shared_ptr<mask::Masker> masker() {
  static const auto patterns = *mask::Patterns::make();
  static const auto made =
      std::make_shared<mask::Masker>(*mask::Scanner::make(patterns), mask::Mode::mask);
  return made;
}

/// The payload of copy data that came in pieces of `step` bytes.
ByteVector copied(Bytes input, bool binary, std::size_t step) {
  Detection detection(masker());
  detection.begin_copy(binary);
  ByteVector framed;
  while (!input.empty()) {
    const Bytes piece = input.first(std::min(step, input.size()));
    ByteVector raw;
    MessageBuilder(raw, backend::copy_data).bytes(piece);
    const Message message{
        .type = backend::copy_data, .raw = raw, .body = Bytes(raw).subspan(header_bytes)};
    if (!detection.copy(message, framed)) return {};
    input = input.subspan(piece.size());
  }
  if (!detection.end_copy(framed)) return {};
  ByteVector payload;
  for (Bytes rest(framed); !rest.empty();) {
    if (rest.size() < header_bytes) std::abort();
    const std::uint32_t size = read_u32(rest.subspan(1));
    if (rest[0] != std::byte{backend::copy_data} || size < 4 || size + 1 > rest.size())
      std::abort();
    append(payload, rest.subspan(header_bytes, size - 4));
    rest = rest.subspan(size + 1);
  }
  return payload;
}

void row(Bytes body, std::size_t step) {
  if (!data_row_fields(body)) return;
  ByteVector raw;
  MessageBuilder(raw, backend::data_row).bytes(body);
  const Bytes all(raw);
  Detection whole(masker());
  ByteVector out;
  if (!whole.row({.type = backend::data_row, .raw = all, .body = all.subspan(header_bytes)},
                 nullptr, out)) {
    return;
  }
  Detection pieces(masker());
  ByteVector pieced;
  const std::size_t first = std::min(step, body.size());
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t size = at == 0 ? first : std::min(step, body.size() - at);
    const Bytes piece = all.subspan(header_bytes + at, size);
    if (!pieces.row({.type = backend::data_row,
                     .raw = at == 0 ? all.first(header_bytes + size) : piece,
                     .body = piece,
                     .first = at == 0,
                     .last = at + size == body.size()},
                    nullptr, pieced)) {
      return;
    }
    at += size;
  }
  // The client reads the same lengths either way.
  if (out.size() != raw.size() || (!body.empty() && pieced.size() != raw.size())) std::abort();
  if (!data_row_fields(Bytes(out).subspan(header_bytes))) std::abort();
}

void error(Bytes body) {
  const auto fields = error_fields(body);
  if (!fields) return;
  for (const bool writes : {false, true}) {
    for (const auto& [code, text] : told_error(*fields, writes)) {
      if (std::string_view("SVCMHR").find(code) == std::string_view::npos) std::abort();
      if (code == 'C' && text.size() != 5) std::abort();
    }
  }
  if (const auto notice = told_notice(*fields)) {
    for (const auto& [code, text] : *notice) {
      if (std::string_view("SVCM").find(code) == std::string_view::npos) std::abort();
    }
  }
}

}  // namespace
}  // namespace sallyport::postgres

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::postgres;
  if (size < 2 || size > 64 * 1024) return 0;
  const Bytes input(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  const std::size_t step = data[1] + std::size_t{1};
  switch (data[0] & 3) {
    case 0:
    case 1: {
      const bool binary = (data[0] & 1) != 0;
      const ByteVector pieced = copied(input, binary, step);
      const ByteVector whole = copied(input, binary, input.size() + 1);
      // Of a binary copy that ends inside a value the beginning of that value may stay behind.
      const std::size_t least = binary ? 0 : input.size();
      for (const ByteVector* const one : {&pieced, &whole}) {
        if (one->size() < least || one->size() > input.size()) std::abort();
      }
      break;
    }
    case 2:
      row(input, step);
      break;
    default:
      error(input);
      break;
  }
  return 0;
}
