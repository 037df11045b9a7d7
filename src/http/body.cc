#include "http/body.h"

#include <algorithm>
#include <charconv>

#include "http/head.h"
#include "http/text.h"

namespace sallyport::http {
namespace {

constexpr std::size_t size_digits_max = 8;

}  // namespace

BodyReader BodyReader::chunked(std::uint64_t bytes_max, Trailers trailers) {
  BodyReader reader(State::chunk_size, 0, bytes_max);
  reader.trailers_ = trailers;
  return reader;
}

Decoded<Bytes> BodyReader::take(Bytes& input) {
  while (!input.empty() && state_ != State::done) {
    switch (state_) {
      case State::content:
      case State::chunk:
        return take_content(input);
      case State::until_close:
        if (input.size() > budget_) return reject(413, "body too large");
        budget_ -= input.size();
        return std::exchange(input, Bytes{});
      case State::chunk_size:
      case State::chunk_end:
      case State::trailer: {
        auto taken = take_line(input);
        if (!taken) return reject(taken);
        break;
      }
      case State::done:
        break;
    }
  }
  return Bytes{};
}

Bytes BodyReader::take_content(Bytes& input) {
  const auto piece =
      input.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size())));
  input = input.subspan(piece.size());
  left_ -= piece.size();
  if (left_ == 0) state_ = state_ == State::chunk ? State::chunk_end : State::done;
  return piece;
}

Decoded<void> BodyReader::take_line(Bytes& input) {
  const auto bytes_max = state_ == State::trailer      ? trailer_bytes_left_
                         : state_ == State::chunk_size ? size_digits_max
                                                       : 0;
  auto line = line_.take(input, bytes_max, state_ == State::trailer ? 431 : 400);
  if (!line) return reject(line);
  if (!*line) return {};
  if (state_ == State::chunk_size) return end_of_size_line(**line);
  if (state_ == State::trailer) return end_of_trailer_line(**line);
  state_ = State::chunk_size;
  return {};
}

Decoded<void> BodyReader::end_of_size_line(std::string_view line) {
  const bool all_hex = std::ranges::all_of(line, [](char c) { return hex_value(c) >= 0; });
  if (line.empty() || !all_hex) return reject(400, "bad chunk size");
  std::from_chars(line.data(), line.data() + line.size(), left_, 16);
  if (left_ > budget_) return reject(413, "body too large");
  budget_ -= left_;
  state_ = left_ == 0 ? State::trailer : State::chunk;
  return {};
}

Decoded<void> BodyReader::end_of_trailer_line(std::string_view line) {
  if (line.empty()) {
    state_ = State::done;
    return {};
  }
  if (trailers_ == Trailers::refused) return reject(400, "trailer fields are not accepted");
  auto field = parse_header(line);
  if (!field) return reject(field);
  trailer_bytes_left_ -= std::min(line.size() + 2, trailer_bytes_left_);
  return {};
}

}  // namespace sallyport::http
