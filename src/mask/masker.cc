#include "mask/masker.h"

#include <algorithm>
#include <array>

#include "mask/finder.h"

namespace sallyport::mask {
namespace {

/// Of a full window so much stays for the next: what begins before is found whole.
constexpr std::size_t kept_bytes = hit_bytes_max + 2 * behind_bytes_max;
/// And so much of what went out already, for the words before a number.
constexpr std::size_t seen_bytes = 2 * before_bytes_max;
static_assert(text_bytes_max % 2 == 0 && kept_bytes % 2 == 0 && seen_bytes % 2 == 0,
              "pairs of hexadecimal digits stay together");

constexpr std::array<std::pair<std::string_view, Mode>, 3> modes{
    {{"off", Mode::off}, {"report", Mode::report}, {"mask", Mode::mask}}};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

unsigned hex_value(char c) {
  return is_digit(c) ? static_cast<unsigned>(c - '0')
                     : static_cast<unsigned>((c | 0x20) - 'a') + 10;
}

void hide_all_but_last(std::string& text, std::size_t keep) {
  std::size_t left = static_cast<std::size_t>(std::ranges::count_if(text, is_alnum));
  for (char& c : text) {
    if (!is_alnum(c)) continue;
    if (left-- > keep) c = '*';
  }
}

void hide_email(std::string& text) {
  const std::size_t at = text.find('@');
  const std::size_t dot = text.rfind('.');
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool ascii = static_cast<unsigned char>(text[i]) < 0x80;
    const bool shown = i == at || i >= dot || ((i == 0 || i == at + 1) && ascii && at > 1);
    if (!shown) text[i] = '*';
  }
}

void hide_iban(std::string& text) {
  const std::string country = text.substr(0, 2);
  hide_all_but_last(text, 4);
  text.replace(0, 2, country);
}

/// What a mask leaves of it: as many bytes.
void show_shape(std::string& text, Detector detector) {
  const auto shape = info(detector).shape;
  if (!shape) {
    for (char& c : text) {
      if (!is_space(c)) c = '*';
    }
    return;
  }
  switch (*shape) {
    case Shape::email:
      return hide_email(text);
    case Shape::card:
      return hide_all_but_last(text, 4);
    case Shape::phone:
      return hide_all_but_last(text, 2);
    case Shape::iban:
      return hide_iban(text);
    case Shape::text:
      return hide_all_but_last(text, 0);
  }
}

bool goes_on_with(Detector detector, char c) {
  if (detector == Detector::jwt) return is_alnum(c) || c == '-' || c == '_' || c == '.';
  return is_alnum(c) || is_space(c) || std::string_view("+/=-:,\\*").contains(c);
}

bool is_json(std::string_view text) {
  std::size_t at = text.starts_with('\x01') ? 1 : 0;  // the version of a binary jsonb
  while (at < text.size() && is_space(text[at])) ++at;
  return at < text.size() && (text[at] == '{' || text[at] == '[');
}

}  // namespace

std::string_view to_string(Mode mode) {
  return modes[static_cast<std::size_t>(mode)].first;
}

std::optional<Mode> mode_of(std::string_view name) {
  for (const auto& [known, mode] : modes) {
    if (known == name) return mode;
  }
  return std::nullopt;
}

Result<void> Masker::whole(std::span<char> value, const Topics& named, Findings& findings) {
  Window one;
  std::size_t begin = 0;
  while (true) {
    const std::size_t size = std::min(value.size() - begin, text_bytes_max);
    one.last = begin + size == value.size();
    auto done = window(value.subspan(begin, size), named, one, findings);
    if (!done || one.last) return done;
    begin += next_begin(one);
  }
}

std::size_t Masker::next_begin(const Window& window) {
  return window.release - seen_bytes;
}

Result<void> Masker::window(std::span<char> text, const Topics& named, Window& window,
                            Findings& findings) {
  const std::string_view all(text.data(), text.size());
  window.release = window.last ? text.size() : text_bytes_max - kept_bytes;
  if (window.first) {
    window.json = is_json(all);
    window.hex =
        all.starts_with("\\x") && all.size() % 2 == 0 && std::ranges::all_of(all.substr(2), is_hex);
  }
  told_.clear();
  if (window.open) go_on(text, window);
  auto found = scanner_.scan(all, named, !window.last);
  const bool special = found && scanner_.special();
  if (found && !special && found->empty() && window.last) return ok();
  as_is_.clear();
  if (found && special) {
    if (window.hex) {
      view_hex(all, window.first);
    } else if (all.contains('\0')) {
      view_binary(all);
    } else {
      as_is_.assign(found->begin(), found->end());
      view_escapes(all, window.escape);
    }
    found = scanner_.scan(view_.text, named, !window.last);
  }
  if (!found) {
    if (found.error().code != Errc::too_large) return fail(found);
    if (auto done = withhold(text, window, findings); !done) return done;
  } else {
    hide(text, *found, special, window, findings);
    // What begins with the letter of an escape was found through the view, if it is there at all.
    std::erase_if(as_is_,
                  [&](const Hit& hit) { return hit.begin > 0 && text[hit.begin - 1] == '\\'; });
    hide(text, as_is_, false, window, findings);
  }
  if (window.last) return ok();

  // For the next window.
  const std::size_t begin = next_begin(window);
  window.escape = 0;
  if (special && !window.hex) {
    const auto after = std::ranges::lower_bound(view_.from, begin);
    if (after != view_.from.end()) window.escape = *after - begin;
  }
  if (window.open) window.open_at = text.size() - begin;
  window.seen = seen_bytes;
  window.first = false;
  return ok();
}

/// What was hidden up to the end of the window before goes on here.
void Masker::go_on(std::span<char> text, Window& window) {
  std::size_t at = window.open_at;
  const std::size_t begin = at;
  while (at < text.size() && goes_on_with(*window.open, text[at])) {
    if (text[at] == '-' &&
        std::string_view(text.data(), text.size()).substr(at).starts_with("-----END")) {
      break;
    }
    ++at;
  }
  if (mode_ == Mode::mask) {
    for (std::size_t i = begin; i < at; ++i) {
      if (!is_space(text[i])) text[i] = '*';
    }
  }
  if (at < text.size()) window.open.reset();
}

void Masker::hide(std::span<char> text, std::span<const Hit> hits, bool through_view,
                  Window& window, Findings& findings) {
  for (const Hit& hit : hits) {
    Hit in_text = hit;
    if (through_view) {
      in_text.begin = view_.from[hit.begin];
      in_text.end = view_.from[hit.end];
    }
    if (in_text.begin < window.seen || in_text.begin >= window.release) continue;
    const auto told = std::ranges::upper_bound(told_, in_text.begin, {}, &Told::second);
    const bool known = told != told_.end() && told->first < in_text.end;
    if (known && told->first <= in_text.begin && in_text.end <= told->second) continue;
    if (!known) findings.found.push_back(hit.detector);
    if (through_view) told_.emplace_back(in_text.begin, in_text.end);
    if (mode_ == Mode::mask) hide_one(text, hit, through_view, window);
    if (hit.open && !window.last) window.open = hit.detector;
  }
}

void Masker::hide_one(std::span<char> text, const Hit& hit, bool through_view,
                      const Window& window) {
  const std::string_view from =
      through_view ? std::string_view(view_.text) : std::string_view(text.data(), text.size());
  shown_ = from.substr(hit.begin, hit.end - hit.begin);
  const auto source = [&](std::size_t i) { return through_view ? view_.from[i] : i; };
  if (window.json && hit.end - hit.begin >= 4 &&
      source(hit.end) - source(hit.begin) == hit.end - hit.begin &&
      shown_.find_first_not_of("0123456789.") == std::string::npos) {
    // A number by itself, between what separates the values of a document.
    std::size_t begin = hit.begin;
    while (begin > 0 && is_space(from[begin - 1])) --begin;
    std::size_t end = hit.end;
    while (end < from.size() && is_space(from[end])) ++end;
    const bool alone = begin > 0 && std::string_view(":,[{").contains(from[begin - 1]) &&
                       end < from.size() && std::string_view(",]}").contains(from[end]);
    if (alone) {
      const std::size_t at = source(hit.begin);
      std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(at), hit.end - hit.begin, ' ');
      std::ranges::copy(std::string_view("null"), text.begin() + static_cast<std::ptrdiff_t>(at));
      return;
    }
  }
  show_shape(shown_, hit.detector);
  for (std::size_t i = hit.begin; i < hit.end; ++i) {
    if (shown_[i - hit.begin] == from[i]) continue;
    const std::size_t begin = source(i);
    const std::size_t end = through_view ? view_.from[i + 1] : i + 1;
    if (window.hex) {
      text[begin] = '2';  // '*'
      text[begin + 1] = 'a';
    } else {
      for (std::size_t j = begin; j < end; ++j) text[j] = '*';
    }
  }
}

/// Nothing is known of it, so nothing of it goes out.
Result<void> Masker::withhold(std::span<char> text, const Window& window, Findings& findings) {
  ++findings.withheld;
  if (mode_ != Mode::mask) return ok();
  if (std::string_view(text.data(), text.size()).contains('\0')) {
    return fail(Errc::too_large, "a binary value has too many candidates for the detectors");
  }
  for (std::size_t i = window.seen; i < window.release; ++i) {
    if (text[i] != '\n' && text[i] != '\r' && text[i] != '\t') text[i] = '*';
  }
  if (window.json && window.first && window.last) {
    std::ranges::replace(text, '\t', ' ');
    std::ranges::replace_if(text, is_space, '*');
    text.front() = text.back() = '"';
  }
  if (window.hex) {
    for (std::size_t i = window.seen; i < window.release; i += 2) {
      text[i] = window.first && i == 0 ? '\\' : '2';
      text[i + 1] = window.first && i == 0 ? 'x' : 'a';
    }
  }
  return ok();
}

void Masker::view_hex(std::string_view text, bool first) {
  view_.text.clear();
  view_.from.clear();
  for (std::size_t i = first ? 2 : 0; i + 1 < text.size(); i += 2) {
    view_.text += static_cast<char>(hex_value(text[i]) << 4 | hex_value(text[i + 1]));
    view_.from.push_back(static_cast<std::uint32_t>(i));
  }
  view_.from.push_back(static_cast<std::uint32_t>(text.size()));
}

/// The escapes of JSON, COPY and C: \n, \t, \\, \", \u0041; behind a backslash every other
/// character stands for itself.
void Masker::view_escapes(std::string_view text, std::size_t skip) {
  view_.text.clear();
  view_.from.clear();
  const auto put = [&](char c, std::size_t from) {
    view_.text += c;
    view_.from.push_back(static_cast<std::uint32_t>(from));
  };
  for (std::size_t i = skip; i < text.size();) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      put(text[i], i);
      ++i;
      continue;
    }
    const char c = text[i + 1];
    if (c == 'u' && i + 6 <= text.size() && std::ranges::all_of(text.substr(i + 2, 4), is_hex)) {
      unsigned code = 0;
      for (const char digit : text.substr(i + 2, 4)) code = code << 4 | hex_value(digit);
      // Beyond ASCII only that it is not ASCII matters.
      put(code < 0x80 ? static_cast<char>(code) : '\x80', i);
      i += 6;
      continue;
    }
    static constexpr std::string_view names = "nrtbfv";
    static constexpr std::string_view meant = "\n\r\t\b\f\v";
    const std::size_t known = names.find(c);
    put(known == std::string_view::npos ? c : meant[known], i);
    i += 2;
  }
  view_.from.push_back(static_cast<std::uint32_t>(text.size()));
}

/// Lengths, counts and object identifiers of arrays and rows begin with two zeros; they are
/// blanked, so that none looks like a letter of the text behind it.
void Masker::view_binary(std::string_view text) {
  view_.text = text;
  view_.from.resize(text.size() + 1);
  for (std::size_t i = 0; i <= text.size(); ++i) view_.from[i] = static_cast<std::uint32_t>(i);
  for (std::size_t i = 0; i + 4 <= text.size();) {
    if (text[i] == '\0' && text[i + 1] == '\0') {
      std::fill_n(view_.text.begin() + static_cast<std::ptrdiff_t>(i), 4, '\0');
      i += 4;
    } else {
      ++i;
    }
  }
}

void TextStream::begin(const Topics& named) {
  named_ = named;
  window_ = Window();
  held_.clear();
}

Result<void> TextStream::feed(Masker& masker, std::string_view piece, bool last, ByteVector& out,
                              Findings& findings) {
  while (true) {
    const std::size_t room = std::min(piece.size(), text_bytes_max - held_.size());
    held_.append(piece.substr(0, room));
    piece.remove_prefix(room);
    if (piece.empty()) break;
    if (auto done = step(masker, false, out, findings); !done) return done;
  }
  if (!last) return ok();
  auto done = step(masker, true, out, findings);
  std::string().swap(held_);
  window_ = Window();
  return done;
}

/// One window, or what is left.
Result<void> TextStream::step(Masker& masker, bool last, ByteVector& out, Findings& findings) {
  window_.last = last;
  const std::size_t seen = window_.seen;
  if (auto done = masker.window(std::span(held_.data(), held_.size()), named_, window_, findings);
      !done) {
    return done;
  }
  append(out, std::string_view(held_).substr(seen, window_.release - seen));
  if (!last) held_.erase(0, Masker::next_begin(window_));
  return ok();
}

}  // namespace sallyport::mask
