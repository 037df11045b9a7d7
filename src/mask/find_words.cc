// What is made of letters and digits: numbers with letters in them, wallets, e-mail and network
// addresses.

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bit>

#include "mask/checksum.h"
#include "mask/finder.h"

namespace sallyport::mask {
namespace {

constexpr std::size_t local_part_max = 64;
constexpr std::size_t host_max = 253;
constexpr std::size_t login_max = 512;

bool fits(std::string_view text, std::string_view shape) {
  if (text.size() != shape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool fine = shape[i] == 'a'   ? is_upper(text[i])
                      : shape[i] == '0' ? is_digit(text[i])
                                        : is_upper(text[i]) || is_digit(text[i]);
    if (!fine) return false;
  }
  return true;
}

bool nino(std::string_view text) {
  return fits(text, "aa000000a") && !std::string_view("DFIQUV").contains(text[0]) &&
         !std::string_view("DFIOQUV").contains(text[1]) && text[8] <= 'D' &&
         text.substr(0, 2) != "BG" && text.substr(0, 2) != "GB" && text.substr(0, 2) != "NK" &&
         text.substr(0, 2) != "KN" && text.substr(0, 2) != "TN" && text.substr(0, 2) != "NT" &&
         text.substr(0, 2) != "ZZ";
}

/// A Medicare Beneficiary Identifier without its hyphens: no S, L, O, I, B, Z.
bool mbi(std::string_view text) {
  if (!fits(text, "0a*0a*0aa00") || text[0] == '0') return false;
  return text.find_first_of("SLOIBZ") == std::string_view::npos;
}

bool bic(std::string_view text) {
  return (text.size() == 8 || text.size() == 11) && fits(text.substr(0, 6), "aaaaaa") &&
         (checksum::iban_length(text.substr(4, 2)) != 0 ||
          std::string_view("US CA AU NZ JP CN HK SG IN ZA KR MX TW TH MY ID PH")
              .contains(text.substr(4, 2)));
}

bool is_mail(char c) {
  return is_alnum(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-' || c == '\'' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_host(char c) {
  return is_alnum(c) || c == '-' || c == '.' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

/// A word of letters and digits. Says where to go on.
std::size_t Finder::word_at(std::size_t begin, std::size_t end) {
  const std::string_view word = text_.substr(begin, end - begin);
  if (is_upper(word[0]) && word.size() >= 4 && is_upper(word[1]) && is_digit(word[2]) &&
      is_digit(word[3])) {
    if (const std::size_t past = iban_at(begin)) return past;
  }
  if (before(begin) == '-' || before(begin) == '_' || at(end) == '_') return end;
  if (before(begin) == '.' && begin > 1 && is_digit(text_[begin - 2])) return end;  // 1.5E3
  if (word.size() >= 26 && wants(Detector::bitcoin_address) && checksum::bitcoin_address(word)) {
    add(Detector::bitcoin_address, begin, end);
  } else if (word.size() == 42 && wants(Detector::ethereum_address) && word.starts_with("0x") &&
             checksum::ethereum_address(word)) {
    add(Detector::ethereum_address, begin, end);
  } else if (word.size() == 4 && at(end) == '-' && at(end + 4) == '-' && end + 9 <= text_.size() &&
             !is_alnum(at(end + 9)) && wants(Detector::us_medicare)) {
    std::string plain(word);
    plain.append(text_.substr(end + 1, 3)).append(text_.substr(end + 5, 4));
    if (mbi(plain)) {
      add(Detector::us_medicare, begin, end + 9);
      return end + 9;
    }
  } else if (word.size() <= 18) {
    person_word(begin, end);
  }
  return end;
}

bool Finder::person_word(std::size_t begin, std::size_t end) {
  using enum Detector;
  struct Known {
    std::size_t size;
    Detector detector;
    bool (*check)(std::string_view word);
    Topics topics;  // any: only where the words around say so
  };
  static const auto known = std::to_array<Known>({
      {9, uk_nino, nino, {}},
      {9, es_nif, checksum::es_nif, {}},
      {9, sg_nric, checksum::sg_nric, {}},
      {9, us_dea, checksum::us_dea, topics(Topic::dea)},
      {10,
       in_pan,
       [](std::string_view word) {
         return fits(word, "aaaaa0000a") && std::string_view("PCHABGJLFT").contains(word[3]);
       },
       {}},
      {11, us_medicare, mbi, topics(Topic::medicare)},
      {11, fi_hetu, checksum::fi_hetu, {}},
      {16, it_fiscal_code, checksum::it_fiscal_code, {}},
      {17, Detector::vin, checksum::vin, {}},
      {18, mx_curp, checksum::mx_curp, {}},
      {18, cn_resident_id, checksum::cn_resident_id, {}},
  });
  const std::string_view word = text_.substr(begin, end - begin);
  for (const Known& one : known) {
    if (one.size != word.size() || !wants(one.detector) || !one.check(word)) continue;
    if (one.topics.any() && !about(one.topics, begin, end)) continue;
    add(one.detector, begin, end);
    return true;
  }
  if (word.size() < 6 || word.size() > 15) return false;
  const auto digit_count = std::ranges::count_if(word, is_digit);
  const bool code =
      digit_count >= 4 && std::ranges::none_of(word, [](char c) { return c >= 'a' && c <= 'z'; });
  if (!code) return false;
  if (word.size() <= 10 && wants(passport) && about(topics(Topic::passport), begin, end)) {
    add(passport, begin, end);
  } else if (wants(drivers_license) && about(topics(Topic::license), begin, end)) {
    add(drivers_license, begin, end);
  } else {
    return false;
  }
  return true;
}

/// In one piece or in groups of four. 0: it is none.
std::size_t Finder::iban_at(std::size_t begin) {
  const unsigned want = checksum::iban_length(text_.substr(begin, 2));
  if (want == 0 || !wants(Detector::iban)) return 0;
  std::string plain;
  std::size_t i = begin;
  for (; i < text_.size() && plain.size() < want; ++i) {
    const char c = text_[i];
    if (is_upper(c) || is_digit(c)) {
      plain += c;
    } else if ((c != ' ' && c != '-') || plain.size() % 4 != 0 || !is_alnum(at(i + 1))) {
      return 0;
    }
  }
  if (plain.size() != want || is_alnum(at(i)) || !checksum::iban(plain)) return 0;
  add(Detector::iban, begin, i);
  return i;
}

/// Bank identifiers have no digits, often.
void Finder::upper_words() {
  if (!wants(Detector::bic)) return;
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i * 64 < text_.size(); ++i) {
    const Block& block = classes_.blocks[i];
    const std::uint64_t word = block.upper | block.digit | block.lower;
    std::uint64_t starts = block.upper & ~(word << 1 | carry);
    carry = word >> 63;
    for (; starts != 0; starts &= starts - 1) {
      const std::size_t begin = i * 64 + static_cast<std::size_t>(std::countr_zero(starts));
      std::size_t end = begin;
      while (end < text_.size() && end - begin < 12 &&
             (is_upper(text_[end]) || is_digit(text_[end]))) {
        ++end;
      }
      if (is_alnum(at(end)) || !bic(text_.substr(begin, end - begin))) continue;
      if (about(topics(Topic::bic), begin, end)) add(Detector::bic, begin, end);
    }
  }
}

void Finder::addresses() {
  if (classes_.colons > 0 && wants(Detector::password_in_url)) {
    std::size_t done = 0;
    for (std::size_t i = 0; i * 64 < text_.size(); ++i) {
      for (std::uint64_t marks = classes_.blocks[i].colon; marks != 0; marks &= marks - 1) {
        const std::size_t found = i * 64 + static_cast<std::size_t>(std::countr_zero(marks));
        if (found >= done && text_.substr(found, 3) == "://") done = url_password(found + 3);
      }
    }
  }
  if (!wants(Detector::email)) return;
  const std::size_t urls = scanner_.hits_.size();
  std::size_t url = 0;
  for (std::size_t i = 0; i * 64 < text_.size(); ++i) {
    for (std::uint64_t ats = classes_.blocks[i].at; ats != 0; ats &= ats - 1) {
      const std::size_t found = i * 64 + static_cast<std::size_t>(std::countr_zero(ats));
      while (url < urls && scanner_.hits_[url].end < found) ++url;
      if (url < urls && scanner_.hits_[url].begin <= found) continue;  // a login, no address
      mail_at(found);
    }
  }
}

void Finder::mail_at(std::size_t found) {
  std::size_t begin = found;
  while (begin > 0 && found - begin <= local_part_max && is_mail(text_[begin - 1])) --begin;
  if (found - begin > local_part_max) begin = found - local_part_max;
  while (begin < found && (text_[begin] == '.' || text_[begin] == '\'' || text_[begin] == '-')) {
    ++begin;
  }
  std::size_t end = found + 1;
  while (end < text_.size() && end - found <= host_max && is_host(text_[end])) ++end;
  while (end > found + 1 && (text_[end - 1] == '.' || text_[end - 1] == '-')) --end;
  const std::string_view host = text_.substr(found + 1, end - found - 1);
  const std::size_t dot = host.rfind('.');
  if (begin == found || dot == std::string_view::npos || dot == 0 || host.contains("..")) return;
  const std::string_view ending = host.substr(dot + 1);
  if (ending.size() < 2 || ending.size() > 24 || !std::ranges::all_of(ending, [](char c) {
        return is_letter(c) || static_cast<unsigned char>(c) >= 0x80;
      })) {
    if (!ending.starts_with("xn--")) return;
  }
  add(Detector::email, begin, end);
}

/// "scheme://user:password@host", from behind the slashes: the password is hidden. Says how far it
/// looked.
std::size_t Finder::url_password(std::size_t begin) {
  const std::string_view rest = text_.substr(begin, login_max);
  const std::string_view authority = rest.substr(0, rest.find_first_of(" \t\r\n\"'<>\\/?#"));
  const std::size_t past = authority.rfind('@');
  const std::size_t colon = authority.find(':');
  if (past != std::string_view::npos && colon < past && past - colon > 1) {
    add(Detector::password_in_url, begin + colon + 1, begin + past);
  }
  return begin + authority.size();
}

void Finder::colons() {
  for (std::size_t i = 0; i * 64 < text_.size(); ++i) {
    const Block& block = classes_.blocks[i];
    for (std::uint64_t marks = block.colon | block.dash | block.dot; marks != 0;
         marks &= marks - 1) {
      mac_at(i * 64 + static_cast<std::size_t>(std::countr_zero(marks)));
    }
  }
  if (classes_.colons < 2 || !wants(Detector::ipv6)) return;
  std::size_t done = 0;
  for (std::size_t i = 0; i * 64 < text_.size(); ++i) {
    for (std::uint64_t marks = classes_.blocks[i].colon; marks != 0; marks &= marks - 1) {
      std::size_t found = i * 64 + static_cast<std::size_t>(std::countr_zero(marks));
      if (found < done) continue;
      ipv6_at(found);
      done = found;
    }
  }
}

/// Six pairs with : or -, or three groups of four with dots; found at its first separator.
void Finder::mac_at(std::size_t found) {
  const char separator = text_[found];
  const std::size_t width = separator == '.' ? 4 : 2;
  const std::size_t size = separator == '.' ? 14 : 17;
  if (found < width || separator == '_' || found - width + size > text_.size()) return;
  if (text_[found + width + 1] != separator) return;
  const std::size_t begin = found - width;
  bool any_digit = false;
  for (std::size_t i = 0; i < size; ++i) {
    const char c = text_[begin + i];
    if (i % (width + 1) == width ? c != separator : !is_hex(c)) return;
    any_digit = any_digit || is_digit(c);
  }
  const char ahead = before(begin);
  const char behind = at(begin + size);
  if (is_alnum(ahead) || ahead == separator || is_alnum(behind) || !any_digit) return;
  if (behind == separator && is_hex(at(begin + size + 1))) return;
  const std::string_view text = text_.substr(begin, size);
  if (text.find_first_not_of("0:.-") == std::string_view::npos) return;
  add(Detector::mac_address, begin, begin + size);
}

/// Moves `found` behind what it looked at.
void Finder::ipv6_at(std::size_t& found) {
  if (!is_hex(at(found + 1)) && at(found + 1) != ':') return;
  const auto part = [](char c) { return is_hex(c) || c == ':' || c == '.'; };
  std::size_t begin = found;
  while (begin > 0 && found - begin < 5 && is_hex(text_[begin - 1])) --begin;
  std::size_t end = found;
  while (end < text_.size() && end - begin < 48 && part(text_[end])) ++end;
  found = std::max(end, found);
  while (end > begin && text_[end - 1] == '.') --end;
  if (end - begin > 45 || end - begin < 6 || is_alnum(before(begin)) || before(begin) == ':' ||
      is_alnum(at(end))) {
    return;
  }
  std::array<char, 48> address{};
  text_.copy(address.data(), end - begin, begin);
  std::string_view text(address.data(), end - begin);
  if (text.ends_with(':') && !text.ends_with("::")) {
    address[text.size() - 1] = '\0';
    text.remove_suffix(1);
  }
  std::array<unsigned char, 16> parsed{};
  if (std::ranges::count(text, ':') < 3 || std::ranges::none_of(text, is_digit) ||
      ::inet_pton(AF_INET6, address.data(), parsed.data()) != 1) {
    return;
  }
  add(Detector::ipv6, begin, begin + text.size());
}

}  // namespace sallyport::mask
