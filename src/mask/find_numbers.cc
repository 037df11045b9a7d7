// What is made of digits. A chain is digits in groups with one separator between each two:
// "4111 1111 1111 1111", "123-45-6789", "12/03/1980". Its layout, the lengths and separators,
// says which numbers it could be.

#include <algorithm>
#include <array>
#include <bit>

#include "mask/checksum.h"
#include "mask/finder.h"
#include "mask/phone.h"

namespace sallyport::mask {
namespace {

constexpr std::size_t word_bytes_max = 80;

/// Whether the words around decide, beside the check digits.
enum class Needs : std::uint8_t { nothing, topic };

struct Layout {
  std::string_view layout;
  Detector detector;
  bool (*check)(std::string_view digits);
  Needs needs = Needs::nothing;
  Topics topics = {};
};

bool any_digits(std::string_view) {
  return true;
}
bool itin_check(std::string_view d) {
  const unsigned group = checksum::number(d.substr(3, 2));
  return d[0] == '9' && ((group >= 50 && group <= 65) || (group >= 70 && group <= 88) ||
                         (group >= 90 && group <= 92) || (group >= 94 && group <= 99));
}
bool ein_check(std::string_view d) {
  static constexpr std::string_view unused = "00070817181928294969707879899697";
  for (std::size_t i = 0; i < unused.size(); i += 2) {
    if (d.starts_with(unused.substr(i, 2))) return false;
  }
  return true;
}
bool sin(std::string_view d) {
  return d[0] != '0' && d[0] != '8' && checksum::luhn(d);
}
bool aadhaar(std::string_view d) {
  return d[0] >= '2' && checksum::verhoeff(d);
}
bool ahv(std::string_view d) {
  return d.starts_with("756") && checksum::ean13(d);
}
bool imei_check(std::string_view d) {
  return d[0] != '0' && checksum::luhn(d);
}
bool cpr(std::string_view d) {
  return checksum::valid_date(2000, checksum::number(d.substr(2, 2)),
                              checksum::number(d.substr(0, 2)));
}
bool personnummer_12(std::string_view d) {
  return (d.starts_with("19") || d.starts_with("20")) && checksum::se_personnummer(d.substr(2));
}
/// Dialled within the country: the zero stands for long distance.
bool phone_trunk(std::string_view d) {
  return d[0] == '0' && d[1] != '0';
}
bool phone_001(std::string_view d) {
  return d.starts_with("001") && phone_north_american(d.substr(3));
}
bool phone_1(std::string_view d) {
  return d[0] == '1' && phone_north_american(d.substr(1));
}

using enum Detector;

const auto layouts = [] {
  const Topics id = topics(Topic::national, Topic::tax, Topic::ssn);
  const Topics phone_topic = topics(Topic::phone);
  return std::to_array<Layout>({
      {"3-2-4", us_ssn, checksum::us_ssn},
      {"3-2-4", us_itin, itin_check},
      {"3 2 4", us_ssn, checksum::us_ssn, Needs::topic, topics(Topic::ssn)},
      {"3.2.4", us_ssn, checksum::us_ssn, Needs::topic, topics(Topic::ssn)},
      {"3 2 4", us_itin, itin_check, Needs::topic, topics(Topic::itin, Topic::tax, Topic::ssn)},
      {"9", us_ssn, checksum::us_ssn, Needs::topic, topics(Topic::ssn)},
      {"9", us_itin, itin_check, Needs::topic, topics(Topic::itin)},
      {"2-7", us_ein, ein_check, Needs::topic, topics(Topic::ein, Topic::tax)},
      {"9", us_ein, ein_check, Needs::topic, topics(Topic::ein)},
      {"9", aba_routing, checksum::aba_routing, Needs::topic, topics(Topic::routing)},
      {"a", us_npi, checksum::us_npi, Needs::topic, topics(Topic::npi)},
      {"3 3 4", uk_nhs, checksum::uk_nhs, Needs::topic, topics(Topic::nhs, Topic::national)},
      {"3-3-4", uk_nhs, checksum::uk_nhs, Needs::topic, topics(Topic::nhs)},
      {"a", uk_nhs, checksum::uk_nhs, Needs::topic, topics(Topic::nhs)},
      {"3)3-4", phone, phone_north_american},
      {"3-3-4", phone, phone_north_american},
      {"3.3.4", phone, phone_north_american},
      {"3-3-3-4", phone, phone_001},
      {"2 2 2 2 2", phone, phone_trunk},
      {"2.2.2.2.2", phone, phone_trunk},
      {"2-2-2-2-2", phone, phone_trunk},
      {"4)3 4", phone, phone_trunk},
      {"5)3 3", phone, phone_trunk},
      {"5)6", phone, phone_trunk},
      {"3)4 4", phone, phone_trunk},
      {"4 3 4", phone, phone_trunk},
      {"3 4 4", phone, phone_trunk},
      {"5 3 3", phone, phone_trunk},
      {"1-3-3-4", phone, phone_1},
      {"1.3.3.4", phone, phone_1},
      {"3 3 4", phone, phone_north_american, Needs::topic, phone_topic},
      {"3 3-4", phone, phone_north_american},
      {"3-3-3", ca_sin, sin},
      {"3 3 3", ca_sin, sin},
      {"9", ca_sin, sin, Needs::topic, topics(Topic::national)},
      {"9", nl_bsn, checksum::nl_bsn, Needs::topic, topics(Topic::national)},
      {"4.2.3", nl_bsn, checksum::nl_bsn, Needs::topic, id},
      {"9", pt_nif, checksum::pt_nif, Needs::topic, topics(Topic::tax)},
      {"3 3 3", pt_nif, checksum::pt_nif, Needs::topic, topics(Topic::tax)},
      {"9", au_tfn, checksum::au_tfn, Needs::topic, topics(Topic::tax)},
      {"3 3 3", au_tfn, checksum::au_tfn, Needs::topic, topics(Topic::tax)},
      {"4 5 1", au_medicare, checksum::au_medicare},
      {"a", au_medicare, checksum::au_medicare, Needs::topic, topics(Topic::medicare)},
      {"b", de_tax_id, checksum::de_tax_id, Needs::topic, topics(Topic::tax)},
      {"2 3 3 3", de_tax_id, checksum::de_tax_id},
      {"f", fr_nir, checksum::fr_nir},
      {"1 2 2 2 3 3 2", fr_nir, checksum::fr_nir},
      {"d 2", fr_nir, checksum::fr_nir},
      {"2.2.2-3.2", be_national, checksum::be_national},
      {"b", be_national, checksum::be_national, Needs::topic, id},
      {"3.4.4.2", ch_ahv, ahv},
      {"d", ch_ahv, ahv},
      {"b", pl_pesel, checksum::pl_pesel, Needs::topic, id},
      {"6-4", se_personnummer, checksum::se_personnummer},
      {"8-4", se_personnummer, personnummer_12},
      {"a", se_personnummer, checksum::se_personnummer, Needs::topic, id},
      {"c", se_personnummer, personnummer_12, Needs::topic, id},
      {"b", no_fodselsnummer, checksum::no_fodselsnummer},
      {"6 5", no_fodselsnummer, checksum::no_fodselsnummer},
      {"6-4", dk_cpr, cpr, Needs::topic, id},
      {"a", dk_cpr, cpr, Needs::topic, id},
      {"b", tr_kimlik, checksum::tr_kimlik, Needs::topic, id},
      {"d", za_id, checksum::za_id},
      {"c", in_aadhaar, aadhaar, Needs::topic, id},
      {"4 4 4", in_aadhaar, aadhaar},
      {"4-4-4", in_aadhaar, aadhaar},
      {"c", jp_my_number, checksum::jp_my_number, Needs::topic, id},
      {"4 4 4", jp_my_number, checksum::jp_my_number, Needs::topic, id},
      {"4-4-4", jp_my_number, checksum::jp_my_number, Needs::topic, id},
      {"i", cn_resident_id, checksum::cn_resident_id},
      {"6-7", kr_rrn, checksum::kr_rrn},
      {"d", kr_rrn, checksum::kr_rrn, Needs::topic, id},
      {"3.3.3-2", br_cpf, checksum::br_cpf},
      {"b", br_cpf, checksum::br_cpf, Needs::topic, id},
      {"2.3.3/4-2", br_cnpj, checksum::br_cnpj},
      {"e", br_cnpj, checksum::br_cnpj, Needs::topic, id},
      {"f", Detector::imei, imei_check, Needs::topic, topics(Topic::imei)},
      {"2-6-6-1", Detector::imei, imei_check},
      {"a", phone, phone_north_american, Needs::topic, phone_topic},
      {"b", phone, phone_1, Needs::topic, phone_topic},
      {"9", passport, any_digits, Needs::topic, topics(Topic::passport)},
      {"8", passport, any_digits, Needs::topic, topics(Topic::passport)},
      {"7", passport, any_digits, Needs::topic, topics(Topic::passport)},
      {"7", drivers_license, any_digits, Needs::topic, topics(Topic::license)},
      {"8", drivers_license, any_digits, Needs::topic, topics(Topic::license)},
      {"9", drivers_license, any_digits, Needs::topic, topics(Topic::license)},
      {"c", drivers_license, any_digits, Needs::topic, topics(Topic::license)},
      {"3-3-3", drivers_license, any_digits, Needs::topic, topics(Topic::license)},
      {"3-2-4", drivers_license, any_digits, Needs::topic, topics(Topic::license)},
  });
}();

/// Where the layouts that begin with a group of this length are: most chains end here.
const auto layouts_by_first = [] {
  std::array<std::vector<const Layout*>, 128> by_first;
  for (const Layout& layout : layouts) {
    by_first[static_cast<unsigned char>(layout.layout[0])].push_back(&layout);
  }
  return by_first;
}();

constexpr std::string_view months = "janfebmaraprmayjunjulaugsepoctnovdec";

/// 1 to 12 if the word begins as an English month does; 0: it does not.
unsigned month_of(std::string_view word) {
  if (word.size() < 3) return 0;
  std::array<char, 3> start{};
  for (std::size_t i = 0; i < 3; ++i) start[i] = static_cast<char>(word[i] | 0x20);
  const std::size_t found = months.find(std::string_view(start.data(), 3));
  return found != std::string_view::npos && found % 3 == 0 ? static_cast<unsigned>(found / 3) + 1
                                                           : 0;
}

bool plausible_year(unsigned year) {
  return year >= 1900 && year <= 2030;
}

}  // namespace

void Finder::numbers() {
  std::size_t done = 0;
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i * 64 < text_.size(); ++i) {
    const std::uint64_t digit = classes_.blocks[i].digit;
    std::uint64_t starts = digit & ~(digit << 1 | carry);
    carry = digit >> 63;
    for (; starts != 0; starts &= starts - 1) {
      const std::size_t start = i * 64 + static_cast<std::size_t>(std::countr_zero(starts));
      if (start < done) continue;
      std::size_t begin = start;
      while (begin > done && is_alnum(text_[begin - 1]) && start - begin < word_bytes_max) --begin;
      std::size_t end = start;
      bool plain = begin == start;
      while (end < text_.size() && is_alnum(text_[end]) && end - begin <= word_bytes_max) {
        plain = plain && is_digit(text_[end]);
        ++end;
      }
      done = end;
      if (end - begin > word_bytes_max) {
        while (done < text_.size() && is_alnum(text_[done])) ++done;
      } else {
        done = std::max(end, plain ? chain_at(begin, end) : word_at(begin, end));
      }
    }
  }
}

/// Gathers the groups that follow one of digits, looks at them, and says where to go on.
std::size_t Finder::chain_at(std::size_t begin, std::size_t end) {
  if (before(begin) == '+' || (end - begin >= 9 && at(begin) == '0' && at(begin + 1) == '0')) {
    if (const auto past = international_phone(begin)) return *past;
  }
  const auto separates = [](char c) { return c == ' ' || c == '-' || c == '.' || c == '/'; };
  if (end - begin < 7 && at(end) != ')' && !(separates(at(end)) && is_digit(at(end + 1)))) {
    // One small number, as most are: at most the end of a date, or of "131052-308T".
    Chain one;
    one.groups[0] = {begin, end, 0};
    one.layout[0] = static_cast<char>('0' + (end - begin));
    one.size = 1;
    if (end - begin == 4) written_date(one, 0);
    if (end - begin == 6) insurance(one, 0);
    return end;
  }
  Chain chain;
  const auto add_group = [&](std::size_t from, std::size_t to, char separator) {
    const std::size_t size = to - from;
    if (chain.size > 0) chain.layout[chain.size * 2 - 1] = separator;
    chain.layout[chain.size * 2] =
        static_cast<char>(size < 10 ? '0' + size : 'a' + std::min(size - 10, std::size_t{25}));
    chain.groups[chain.size++] = {from, to, separator};
  };
  add_group(begin, end, 0);
  while (chain.size < groups_max) {
    std::size_t next = end;
    char separator = at(next);
    if (separator == ')' && before(begin) == '(') {
      ++next;
      if (at(next) == ' ' || at(next) == '-') ++next;
    } else if (separates(separator)) {
      ++next;
    } else {
      break;
    }
    if (!is_digit(at(next))) break;
    std::size_t past = next;
    while (is_digit(at(past)) && past - next <= 40) ++past;
    const bool extension = at(past) == 'x' && is_digit(at(past + 1));  // of a telephone
    if ((is_letter(at(past)) && !extension) || is_digit(at(past))) break;
    add_group(next, past, separator);
    begin = next;
    end = past;
  }
  for (std::size_t first = 0; first < chain.size;) {
    first += std::max<std::size_t>(match_groups(chain, first), 1);
  }
  return end;
}

bool Finder::joined_before(const Chain& chain, std::size_t first) const {
  const std::size_t begin = chain.groups[first].begin;
  if (begin == 0) return false;
  const char c = text_[begin - 1];
  if (first > 0) return c == '-' || c == '.';
  if (c == '.' || c == ',') return begin > 1 && is_digit(text_[begin - 2]);
  return (c == '-' || c == '_') && begin > 1 && is_hex(text_[begin - 2]) &&
         !(begin > 4 && is_letter(text_[begin - 2]) && is_letter(text_[begin - 3]) &&
           is_letter(text_[begin - 4]));
}

bool Finder::joined_behind(const Chain& chain, std::size_t past) const {
  if (past < chain.size) {
    const char c = chain.groups[past].separator;
    return c == '-' || c == '.';
  }
  const std::size_t end = chain.groups[past - 1].end;
  const char c = at(end);
  if (c == '.' || c == ',') return is_digit(at(end + 1));
  return (c == '-' || c == '_') && is_alnum(at(end + 1));
}

std::string_view Finder::digits(const Chain& chain, std::size_t first, std::size_t count) {
  std::size_t size = 0;
  for (std::size_t i = first; i < first + count; ++i) {
    for (std::size_t j = chain.groups[i].begin; j < chain.groups[i].end; ++j) {
      if (size == digits_.size()) return {};
      digits_[size++] = text_[j];
    }
  }
  return {digits_.data(), size};
}

/// How many groups from `first` on were something; 0: none.
std::size_t Finder::match_groups(const Chain& chain, std::size_t first) {
  if (const std::size_t taken = address(chain, first)) return taken;
  if (joined_before(chain, first)) return 0;
  if (const std::size_t taken = card(chain, first)) return taken;
  if (const std::size_t taken = insurance(chain, first)) return taken;
  if (const std::size_t taken = known_layout(chain, first)) return taken;
  if (const std::size_t taken = named_card(chain, first)) return taken;
  if (const std::size_t taken = date(chain, first)) return taken;
  if (const std::size_t taken = written_date(chain, first)) return taken;
  return national_phone(chain, first);
}

std::size_t Finder::known_layout(const Chain& chain, std::size_t first) {
  const std::string_view rest = chain.layout_from(first);
  for (const Layout* layout : layouts_by_first[static_cast<unsigned char>(rest[0])]) {
    if (!rest.starts_with(layout->layout) || !wants(layout->detector)) continue;
    const std::size_t count = (layout->layout.size() + 1) / 2;
    const std::size_t begin = chain.groups[first].begin;
    const std::size_t end = chain.groups[first + count - 1].end;
    if (joined_behind(chain, first + count) && layout->detector != phone) continue;
    if (!layout->check(digits(chain, first, count))) continue;
    if (layout->needs == Needs::topic && !about(layout->topics, begin, end)) continue;
    if (layout->detector == phone) {
      add_phone(before(begin) == '(' ? begin - 1 : begin, end);
    } else {
      add(layout->detector, begin, end);
    }
    return count;
  }
  return 0;
}

/// An extension belongs to the number: "x123", "ext. 123".
void Finder::add_phone(std::size_t begin, std::size_t end) {
  std::size_t past = end;
  if (at(past) == ' ') ++past;
  if ((at(past) | 0x20) == 'e' && (at(past + 1) | 0x20) == 'x' && (at(past + 2) | 0x20) == 't') {
    past += 3;
    while (at(past) == '.' || at(past) == ' ') ++past;
  } else if ((at(past) | 0x20) == 'x') {
    ++past;
  } else {
    past = end;
  }
  if (past > end && is_digit(at(past))) {
    while (is_digit(at(past))) ++past;
    if (past - end <= 12) end = past;
  }
  add(Detector::phone, begin, end);
}

std::size_t Finder::card(const Chain& chain, std::size_t first) {
  if (!wants(Detector::card)) return 0;
  const std::string_view rest = chain.layout_from(first);
  std::size_t count = 0;
  if (rest[0] >= 'd' && rest[0] <= 'j') {
    count = 1;
  } else if (rest.starts_with("4") && rest.size() >= 5 && (rest[1] == ' ' || rest[1] == '-')) {
    const char separator = rest[1];
    static constexpr std::array<std::string_view, 5> grouped{"4_4_4_4_3", "4_4_4_4", "4_6_5",
                                                             "4_6_4", "4_4_4_1"};
    for (const std::string_view layout : grouped) {
      if (rest.size() < layout.size()) continue;
      const bool same = std::ranges::equal(
          layout, rest.substr(0, layout.size()),
          [&](char want, char have) { return want == '_' ? have == separator : want == have; });
      if (!same) continue;
      count = (layout.size() + 1) / 2;
      const std::string_view number = digits(chain, first, count);
      if (!joined_behind(chain, first + count) && checksum::card_brand(number) &&
          checksum::luhn(number)) {
        add(Detector::card, chain.groups[first].begin, chain.groups[first + count - 1].end);
        return count;
      }
    }
    return 0;
  }
  if (count == 0 || joined_behind(chain, first + count)) return 0;
  const std::string_view number = digits(chain, first, count);
  if (!checksum::card_brand(number) || !checksum::luhn(number)) return 0;
  add(Detector::card, chain.groups[first].begin, chain.groups[first + count - 1].end);
  return count;
}

/// A brand that nobody told us of, where the words around say that it is a card.
std::size_t Finder::named_card(const Chain& chain, std::size_t first) {
  const Group& group = chain.groups[first];
  if (group.size() < 12 || group.size() > 19 || !wants(Detector::card) ||
      joined_behind(chain, first + 1) || !checksum::luhn(digits(chain, first, 1)) ||
      !about(topics(Topic::card), group.begin, group.end)) {
    return 0;
  }
  add(Detector::card, group.begin, group.end);
  return 1;
}

/// "AB 12 34 56 C", "12345678-Z" and "1EG4..."-like numbers whose letters stand beside the chain.
std::size_t Finder::insurance(const Chain& chain, std::size_t first) {
  const std::string_view rest = chain.layout_from(first);
  const std::size_t begin = chain.groups[first].begin;
  if (rest.starts_with("2 2 2") && wants(Detector::uk_nino) && begin >= 3 &&
      text_[begin - 1] == ' ' && is_upper(text_[begin - 2]) && is_upper(text_[begin - 3]) &&
      (begin == 3 || !is_alnum(text_[begin - 4]))) {
    const std::size_t end = chain.groups[first + 2].end;
    if (at(end) == ' ' && at(end + 1) >= 'A' && at(end + 1) <= 'D' && !is_alnum(at(end + 2))) {
      add(Detector::uk_nino, begin - 3, end + 2);
      return 3;
    }
  }
  const std::size_t end = chain.groups[first].end;
  if (rest[0] == '8' && wants(Detector::es_nif) && at(end) == '-' && is_upper(at(end + 1)) &&
      !is_alnum(at(end + 2))) {
    const std::string text = std::string(text_.substr(begin, 8)) + at(end + 1);
    if (checksum::es_nif(text)) {
      add(Detector::es_nif, begin, end + 2);
      return 1;
    }
  }
  if (rest[0] == '6' && wants(Detector::fi_hetu) && end + 5 <= text_.size() &&
      checksum::fi_hetu(text_.substr(begin, 11)) && !is_alnum(at(begin + 11))) {
    add(Detector::fi_hetu, begin, begin + 11);
    return 1;
  }
  // "123456789:AA...": a bot's token at Telegram.
  if (rest[0] >= '8' && end - begin <= 10 && wants(Detector::telegram_token) && at(end) == ':') {
    std::size_t past = end + 1;
    while (past < text_.size() &&
           (is_alnum(text_[past]) || text_[past] == '_' || text_[past] == '-')) {
      ++past;
    }
    if (past - end - 1 == 35) {
      add(Detector::telegram_token, begin, past);
      return 1;
    }
  }
  return 0;
}

/// Dates are only somebody's birthday where the words around say so.
std::size_t Finder::date(const Chain& chain, std::size_t first) {
  if (!wants(Detector::date_of_birth)) return 0;
  std::array<unsigned, 3> part{};
  std::size_t count = 0;
  if (chain.groups[first].size() == 8) {
    const std::string_view d = digits(chain, first, 1);
    part = {checksum::number(d.substr(0, 4)), checksum::number(d.substr(4, 2)),
            checksum::number(d.substr(6, 2))};
    count = 1;
  } else if (first + 2 < chain.size && chain.groups[first + 1].separator != ')' &&
             chain.groups[first + 1].separator == chain.groups[first + 2].separator) {
    for (std::size_t i = 0; i < 3; ++i) {
      if (chain.groups[first + i].size() > 4 || chain.groups[first + i].size() == 3) return 0;
      part[i] = checksum::number(digits(chain, first + i, 1));
    }
    if (chain.groups[first + 1].size() > 2) return 0;
    count = 3;
    const bool year_first = chain.groups[first].size() == 4;
    const std::size_t last_size = chain.groups[first + 2].size();
    if (!year_first) {
      if (last_size == 1) return 0;
      if (last_size == 2) part[2] += part[2] > 30 ? 1900 : 2000;
      if (part[0] > 12 || chain.groups[first + 1].separator == '.') std::swap(part[0], part[1]);
      part = {part[2], part[0], part[1]};  // month before day, else the other way round
    }
  }
  if (count == 0 || !plausible_year(part[0])) return 0;
  if (!checksum::valid_date(part[0], part[1], part[2]) &&
      !checksum::valid_date(part[0], part[2], part[1]))
    return 0;
  const std::size_t begin = chain.groups[first].begin;
  std::size_t end = chain.groups[first + count - 1].end;
  if (!about(topics(Topic::birth), begin, end)) return 0;
  add(Detector::date_of_birth, begin, end);
  return count;
}

/// "12 March 1980", "March 12th, 1980": found at the year.
std::size_t Finder::written_date(const Chain& chain, std::size_t first) {
  const Group& year = chain.groups[first];
  if (year.size() != 4 || !wants(Detector::date_of_birth) ||
      !plausible_year(checksum::number(text_.substr(year.begin, 4)))) {
    return 0;
  }
  const auto skip = [&](std::size_t from, std::string_view characters) {
    while (from > 0 && characters.contains(text_[from - 1])) --from;
    return from;
  };
  const auto letters = [&](std::size_t from) {
    std::size_t start = from;
    while (start > 0 && from - start < 12 && is_letter(text_[start - 1])) --start;
    return start;
  };
  const auto day_before = [&](std::size_t from) -> std::size_t {
    std::size_t start = from;
    if (from - letters(from) == 2) start = letters(from);  // 12th
    const std::size_t end = start;
    while (start > 0 && end - start < 3 && is_digit(text_[start - 1])) --start;
    if (end == start || end - start > 2) return from;
    const unsigned day = checksum::number(text_.substr(start, end - start));
    return day >= 1 && day <= 31 ? start : from;
  };
  const std::size_t gap = skip(year.begin, " ,-.");
  std::size_t begin = letters(gap);
  if (month_of(text_.substr(begin, gap - begin)) != 0) {  // the day stands before it
    const std::size_t day_end = skip(begin, " -.");
    const std::size_t day = day_before(day_end);
    if (day == day_end) return 0;
    begin = day;
  } else {
    const std::size_t day = day_before(gap);
    if (day == gap) return 0;
    const std::size_t month_end = skip(day, " -.");
    begin = letters(month_end);
    if (month_of(text_.substr(begin, month_end - begin)) == 0) return 0;
  }
  if (!about(topics(Topic::birth), begin, year.end)) return 0;
  add(Detector::date_of_birth, begin, year.end);
  return 1;
}

/// An IPv4 address that is somebody's: not of this machine, not "version 1.2.3.4".
std::size_t Finder::address(const Chain& chain, std::size_t first) {
  if (!wants(Detector::ipv4) || first + 3 >= chain.size ||
      (first > 0 && chain.groups[first].separator == '.')) {
    return 0;
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const Group& group = chain.groups[first + i];
    if (i > 0 && group.separator != '.') return 0;
    if (group.size() > 3 || checksum::number(text_.substr(group.begin, group.size())) > 255)
      return 0;
    if (group.size() > 1 && text_[group.begin] == '0') return 0;
  }
  const std::size_t begin = chain.groups[first].begin;
  const std::size_t end = chain.groups[first + 3].end;
  const std::string_view text = text_.substr(begin, end - begin);
  const bool goes_on = (first + 4 < chain.size && chain.groups[first + 4].separator == '.') ||
                       (at(end) == '.' && is_alnum(at(end + 1)));
  if (goes_on || text.starts_with("127.") || text.starts_with("0.") || text.starts_with("255.") ||
      before(begin) == '.' || before(begin) == '-') {
    return 0;
  }
  const std::string_view ahead =
      text_.substr(begin > 9 ? begin - 9 : 0, std::min<std::size_t>(begin, 9));
  for (const std::string_view word : {"version ", "Version ", "release ", "ersion: ", "version="}) {
    if (ahead.ends_with(word)) return 4;
  }
  add(Detector::ipv4, begin, end);
  return 4;
}

/// "+49 (0) 170 / 123 45 67". Says where it ends.
std::optional<std::size_t> Finder::international_phone(std::size_t begin) {
  if (!wants(Detector::phone)) return std::nullopt;
  const bool plus = before(begin) == '+';
  std::size_t from = plus ? begin : begin + 2;
  std::array<std::size_t, 16> ends{};
  std::string number;
  std::size_t end = from;
  unsigned separators = 0;
  for (std::size_t i = from; i < text_.size() && number.size() < 16; ++i) {
    const char c = text_[i];
    if (is_digit(c)) {
      number += c;
      separators = 0;
      end = i + 1;
      ends[number.size() - 1] = end;
    } else if ((c != ' ' && c != '-' && c != '.' && c != '(' && c != ')' && c != '/') ||
               ++separators > 3) {
      break;
    }
  }
  // What follows may be another number: the longest beginning that ends with a group.
  for (std::size_t size = number.size(); size >= 7; --size) {
    if (is_digit(at(ends[size - 1])) || is_letter(at(ends[size - 1]))) continue;
    if (text_[ends[size - 1] - 2] == '.') continue;  // "+35236450.6"
    if (!phone_international(std::string_view(number).substr(0, size))) continue;
    if (!plus && !about(topics(Topic::phone), begin, ends[size - 1])) return std::nullopt;
    add_phone(plus ? begin - 1 : begin, ends[size - 1]);
    return ends[size - 1];
  }
  return std::nullopt;
}

/// Any other number of 7 to 15 digits that is said to be a telephone's.
std::size_t Finder::national_phone(const Chain& chain, std::size_t first) {
  if (!wants(Detector::phone)) return 0;
  std::size_t total = 0;
  std::size_t count = 0;
  std::size_t fitting = 0;
  while (first + count < chain.size && total + chain.groups[first + count].size() <= 15) {
    total += chain.groups[first + count].size();
    ++count;
    if (total >= 7) fitting = count;
  }
  if (fitting == 0) return 0;
  // A fraction, a date, or what is left of a time.
  if (fitting == 2 && chain.groups[first + 1].separator == '.') return 0;
  const std::string_view layout = chain.layout_from(first);
  for (const std::string_view date : {"4-2-2", "4.2.2", "4/2/2", "2-2-4", "2.2.4", "2/2/4"}) {
    if (layout.starts_with(date)) return 0;
  }
  const std::size_t begin = chain.groups[first].begin;
  if (before(begin) == ':' && begin > 1 && is_digit(text_[begin - 2])) return 0;
  const std::size_t end = chain.groups[first + fitting - 1].end;
  if (joined_behind(chain, first + fitting) || !about(topics(Topic::phone), begin, end)) return 0;
  add_phone(before(begin) == '(' ? begin - 1 : begin, end);
  return fitting;
}

}  // namespace sallyport::mask
