#include "mask/checksum.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <span>

#include "base/crypto.h"

namespace sallyport::mask::checksum {
namespace {

unsigned digit(char c) {
  return static_cast<unsigned>(c - '0');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
/// Letters count from 10 at A.
unsigned value36(char c) {
  if (is_digit(c)) return digit(c);
  return static_cast<unsigned>((c | 0x20) - 'a') + 10;
}
bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, is_digit);
}
bool all_same(std::string_view text) {
  return text.find_first_not_of(text.front()) == std::string_view::npos;
}

std::uint64_t long_number(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) value = value * 10 + digit(c);
  return value;
}

unsigned weighted_sum(std::string_view digits, std::span<const int> weights) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += digit(digits[i]) * static_cast<unsigned>(weights[i]);
  }
  return sum;
}

}  // namespace

bool luhn(std::string_view digits) {
  unsigned sum = 0;
  bool twice = false;
  for (std::size_t i = digits.size(); i-- > 0; twice = !twice) {
    unsigned value = digit(digits[i]);
    if (twice) value = value > 4 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum % 10 == 0 && !all_same(digits);
}

bool card_brand(std::string_view digits) {
  const unsigned two = number(digits.substr(0, 2));
  const unsigned three = number(digits.substr(0, 3));
  const unsigned four = number(digits.substr(0, 4));
  const unsigned six = number(digits.substr(0, 6));
  const std::size_t size = digits.size();
  if (digits[0] == '4') return size == 13 || size == 16 || size == 19;                // Visa
  if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return size == 16;  // Mastercard
  if (two == 34 || two == 37) return size == 15;                                      // Amex
  if ((three >= 300 && three <= 305) || two == 36 || two == 38 || two == 39) {        // Diners
    return size == 14 || size == 16;
  }
  if (two == 35) return size >= 16;                                                    // JCB
  if (four == 2131 || four == 1800) return size == 15;                                 // JCB, older
  if (four == 6011 || two == 65 || (three >= 644 && three <= 649)) return size >= 16;  // Discover
  if (two == 62 || two == 81) return size >= 16;                                       // UnionPay
  if (four == 5018 || four == 5020 || four == 5038 || four == 6304 || four == 6759 ||
      four == 6761 || four == 6762 || four == 6763) {
    return size >= 13;  // Maestro
  }
  if (six >= 220000 && six <= 220499) return size >= 16;                     // Mir
  return four == 6062 || four == 6375 || three == 508 ? size == 16 : false;  // Hipercard, RuPay
}

unsigned iban_length(std::string_view country) {
  static constexpr std::string_view lengths =
      "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29"
      "ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28"
      "LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25"
      "QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";
  for (std::size_t at = 0; at < lengths.size(); at += 4) {
    if (lengths[at] == std::toupper(static_cast<unsigned char>(country[0])) &&
        lengths[at + 1] == std::toupper(static_cast<unsigned char>(country[1]))) {
      return number(lengths.substr(at + 2, 2));
    }
  }
  return 0;
}

bool iban(std::string_view text) {
  if (text.size() < 15 || text.size() != iban_length(text.substr(0, 2))) return false;
  unsigned remainder = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[(i + 4) % text.size()];
    const unsigned value = value36(c);
    if (value >= 36) return false;
    remainder = (remainder * (value < 10 ? 10 : 100) + value) % 97;
  }
  return remainder == 1;
}

bool mod_11_10(std::string_view digits) {
  unsigned product = 10;
  for (const char c : digits.substr(0, digits.size() - 1)) {
    unsigned sum = (digit(c) + product) % 10;
    if (sum == 0) sum = 10;
    product = sum * 2 % 11;
  }
  return (11 - product) % 10 == digit(digits.back());
}

bool verhoeff(std::string_view digits) {
  static constexpr std::array<std::string_view, 8> permutation{
      "0123456789", "1576283094", "5803796142", "8916043527",
      "9453126870", "4286573901", "2793806415", "7046913258"};
  // The dihedral group D5.
  static constexpr std::array<std::string_view, 10> product{
      "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
      "5987604321", "6598710432", "7659821043", "8765932104", "9876543210"};
  unsigned check = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const char c = digits[digits.size() - 1 - i];
    check = digit(product[check][digit(permutation[i % 8][digit(c)])]);
  }
  return check == 0;
}

bool weighted(std::string_view digits, std::string_view weights, unsigned modulus) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += digit(digits[i]) * value36(weights[i]);
  return sum % modulus == 0;
}

bool ean13(std::string_view digits) {
  return weighted(digits, "1313131313131", 10);
}

bool valid_date(unsigned year, unsigned month, unsigned day) {
  static constexpr std::array<unsigned, 12> days{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1 || day > days[month - 1]) return false;
  return month != 2 || day < 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

unsigned number(std::string_view digits) {
  return static_cast<unsigned>(long_number(digits));
}

bool us_ssn(std::string_view d) {
  return d.substr(0, 3) != "000" && d.substr(0, 3) != "666" && d[0] != '9' &&
         d.substr(3, 2) != "00" && d.substr(5) != "0000" && !all_same(d) && d != "123456789" &&
         d != "078051120" && d != "987654321";
}

bool br_cpf(std::string_view d) {
  if (d.size() != 11 || all_same(d)) return false;
  const auto check = [&](std::size_t size) {
    unsigned sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += digit(d[i]) * static_cast<unsigned>(size + 1 - i);
    return sum * 10 % 11 % 10 == digit(d[size]);
  };
  return check(9) && check(10);
}

bool br_cnpj(std::string_view d) {
  static constexpr std::array<int, 13> weights{6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2};
  if (d.size() != 14 || all_same(d)) return false;
  const auto check = [&](std::size_t size) {
    const unsigned sum = weighted_sum(d, std::span(weights).subspan(weights.size() - size)) % 11;
    return (sum < 2 ? 0 : 11 - sum) == digit(d[size]);
  };
  return check(12) && check(13);
}

bool de_tax_id(std::string_view d) {
  if (d.size() != 11 || d[0] == '0' || !mod_11_10(d)) return false;
  // Of the first ten digits one comes two or three times, and so at least one does not come.
  std::array<int, 10> count{};
  for (const char c : d.substr(0, 10)) ++count[digit(c)];
  const auto most = std::ranges::max(count);
  return most == 2 || most == 3;
}

bool fr_nir(std::string_view d) {
  if (d.size() != 15 || (d[0] != '1' && d[0] != '2')) return false;
  const unsigned month = number(d.substr(3, 2));
  if (month < 1 || (month > 12 && month < 20) || (month > 42 && month < 50)) return false;
  return 97 - long_number(d.substr(0, 13)) % 97 == number(d.substr(13));
}

bool es_nif(std::string_view text) {
  static constexpr std::string_view letters = "TRWAGMYFPDXBNJZSQVHLCKE";
  if (text.size() != 9) return false;
  unsigned first = 0;
  if (is_digit(text[0])) {
    first = digit(text[0]);
  } else if (text[0] >= 'X' && text[0] <= 'Z') {
    first = static_cast<unsigned>(text[0] - 'X');
  } else {
    return false;
  }
  if (!all_digits(text.substr(1, 7))) return false;
  return letters[(first * 10'000'000 + number(text.substr(1, 7))) % 23] == text[8];
}

bool it_fiscal_code(std::string_view text) {
  if (text.size() != 16) return false;
  // Digits may be replaced by letters where two people would get the same code.
  static constexpr std::string_view replacing = "LMNPQRSTUV";
  static constexpr std::string_view shape = "aaaaaa00a00a000a";
  std::string plain(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (shape[i] == 'a' && !is_upper(text[i])) return false;
    if (shape[i] != '0' || is_digit(text[i])) continue;
    const std::size_t as = replacing.find(text[i]);
    if (as == std::string_view::npos) return false;
    plain[i] = static_cast<char>('0' + as);
  }
  const unsigned day = number(std::string_view(plain).substr(9, 2)) % 40;
  if (!std::string_view("ABCDEHLMPRST").contains(text[8]) || day < 1 || day > 31) return false;
  static constexpr std::array<unsigned, 26> odd{1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                                20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
  unsigned sum = 0;
  for (std::size_t i = 0; i < 15; ++i) {
    const unsigned value =
        is_digit(text[i]) ? digit(text[i]) : static_cast<unsigned>(text[i] - 'A');
    sum += i % 2 == 0 ? odd[value] : value;
  }
  return sum % 26 == static_cast<unsigned>(text[15] - 'A');
}

bool pt_nif(std::string_view d) {
  if (d.size() != 9 || !std::string_view("1235689").contains(d[0])) return false;
  static constexpr std::array<int, 8> weights{9, 8, 7, 6, 5, 4, 3, 2};
  return (11 - weighted_sum(d, weights) % 11) % 11 % 10 == digit(d[8]);
}

bool nl_bsn(std::string_view d) {
  if (d.size() != 9 || all_same(d)) return false;
  static constexpr std::array<int, 8> weights{9, 8, 7, 6, 5, 4, 3, 2};
  return weighted_sum(d, weights) % 11 == digit(d[8]) % 11;
}

bool be_national(std::string_view d) {
  if (d.size() != 11) return false;
  const unsigned month = number(d.substr(2, 2)) % 20;
  if (month > 12 || number(d.substr(4, 2)) > 31) return false;
  const unsigned check = number(d.substr(9));
  const std::uint64_t born = long_number(d.substr(0, 9));
  return check == 97 - born % 97 || check == 97 - (born + 2'000'000'000) % 97;
}

bool pl_pesel(std::string_view d) {
  if (d.size() != 11) return false;
  const unsigned month = number(d.substr(2, 2));
  static constexpr std::array<unsigned, 5> centuries{1900, 2000, 2100, 2200, 1800};
  return valid_date(centuries[month / 20] + number(d.substr(0, 2)), month % 20,
                    number(d.substr(4, 2))) &&
         weighted(d, "13791379131", 10);
}

bool se_personnummer(std::string_view d) {
  if (d.size() != 10) return false;
  unsigned day = number(d.substr(4, 2));
  if (day > 60) day -= 60;  // of people who are not registered yet
  return valid_date(2000, number(d.substr(2, 2)), day) && luhn(d);
}

bool no_fodselsnummer(std::string_view d) {
  if (d.size() != 11) return false;
  unsigned day = number(d.substr(0, 2));
  if (day > 40) day -= 40;
  if (!valid_date(2000, number(d.substr(2, 2)) % 40, day)) return false;
  return weighted(d, "3761894521", 11) && weighted(d, "54327654321", 11);
}

bool fi_hetu(std::string_view text) {
  if (text.size() != 11 || !all_digits(text.substr(0, 6)) || !all_digits(text.substr(7, 3)) ||
      !std::string_view("+-ABCDEFYXWVU").contains(text[6]) ||
      !valid_date(2000, number(text.substr(2, 2)), number(text.substr(0, 2)))) {
    return false;
  }
  const std::uint64_t value = long_number(text.substr(0, 6)) * 1000 + number(text.substr(7, 3));
  return std::string_view("0123456789ABCDEFHJKLMNPRSTUVWXY")[value % 31] == text[10];
}

bool tr_kimlik(std::string_view d) {
  if (d.size() != 11 || d[0] == '0') return false;
  unsigned odd = 0;
  unsigned even = 0;
  for (std::size_t i = 0; i < 9; ++i) (i % 2 == 0 ? odd : even) += digit(d[i]);
  const unsigned tenth = (odd * 7 + 100 - even) % 10;
  return tenth == digit(d[9]) && (odd + even + tenth) % 10 == digit(d[10]);
}

bool za_id(std::string_view d) {
  return d.size() == 13 && valid_date(2000, number(d.substr(2, 2)), number(d.substr(4, 2))) &&
         d[10] <= '2' && (d[11] == '8' || d[11] == '9') && luhn(d);
}

bool cn_resident_id(std::string_view text) {
  if (text.size() != 18 || !all_digits(text.substr(0, 17)) || text[0] == '0') return false;
  const unsigned year = number(text.substr(6, 4));
  if (year < 1880 || year > 2100 ||
      !valid_date(year, number(text.substr(10, 2)), number(text.substr(12, 2)))) {
    return false;
  }
  static constexpr std::array<int, 17> weights{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
  const char check = std::string_view("10X98765432")[weighted_sum(text, weights) % 11];
  return check == text[17] || (check == 'X' && text[17] == 'x');
}

bool kr_rrn(std::string_view d) {
  if (d.size() != 13 || !valid_date(2000, number(d.substr(2, 2)), number(d.substr(4, 2)))) {
    return false;
  }
  static constexpr std::array<int, 12> weights{2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5};
  return (11 - weighted_sum(d, weights) % 11) % 10 == digit(d[12]);
}

bool jp_my_number(std::string_view d) {
  if (d.size() != 12) return false;
  static constexpr std::array<int, 11> weights{6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2};
  const unsigned rest = weighted_sum(d, weights) % 11;
  return (rest <= 1 ? 0 : 11 - rest) == digit(d[11]);
}

bool sg_nric(std::string_view text) {
  if (text.size() != 9 || !all_digits(text.substr(1, 7))) return false;
  static constexpr std::array<int, 7> weights{2, 7, 6, 5, 4, 3, 2};
  const unsigned sum = weighted_sum(text.substr(1), weights);
  switch (text[0]) {
    case 'S':
      return std::string_view("JZIHGFEDCBA")[sum % 11] == text[8];
    case 'T':
      return std::string_view("JZIHGFEDCBA")[(sum + 4) % 11] == text[8];
    case 'F':
      return std::string_view("XWUTRQPNMLK")[sum % 11] == text[8];
    case 'G':
      return std::string_view("XWUTRQPNMLK")[(sum + 4) % 11] == text[8];
    case 'M':
      return std::string_view("KLJNPQRTUWX")[10 - (sum + 3) % 11] == text[8];
    default:
      return false;
  }
}

bool mx_curp(std::string_view text) {
  static constexpr std::string_view shape = "aaaa000000aaaaaa*0";
  if (text.size() != shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool fits = shape[i] == 'a'   ? is_upper(text[i])
                      : shape[i] == '0' ? is_digit(text[i])
                                        : is_upper(text[i]) || is_digit(text[i]);
    if (!fits) return false;
  }
  if (!std::string_view("HMX").contains(text[10]) ||
      !valid_date(2000, number(text.substr(6, 2)), number(text.substr(8, 2)))) {
    return false;
  }
  unsigned sum = 0;
  for (std::size_t i = 0; i < 17; ++i) {
    unsigned value = value36(text[i]);
    if (value > 23) ++value;  // an Ñ stands between N and O
    sum += value * static_cast<unsigned>(18 - i);
  }
  return (10 - sum % 10) % 10 == digit(text[17]);
}

bool uk_nhs(std::string_view d) {
  static constexpr std::array<int, 9> weights{10, 9, 8, 7, 6, 5, 4, 3, 2};
  if (d.size() != 10 || all_same(d)) return false;
  return (11 - weighted_sum(d, weights) % 11) % 11 == digit(d[9]);
}

bool us_npi(std::string_view d) {
  return d.size() == 10 && (d[0] == '1' || d[0] == '2') && luhn("80840" + std::string(d));
}

bool us_dea(std::string_view text) {
  if (text.size() != 9 || !is_upper(text[0]) || !all_digits(text.substr(2))) return false;
  const std::string_view d = text.substr(2);
  const unsigned sum =
      digit(d[0]) + digit(d[2]) + digit(d[4]) + 2 * (digit(d[1]) + digit(d[3]) + digit(d[5]));
  return sum % 10 == digit(d[6]);
}

bool au_tfn(std::string_view d) {
  return d.size() == 9 && !all_same(d) && weighted(d, "14375869A", 11);
}

bool au_medicare(std::string_view d) {
  if (d.size() != 10 || d[0] < '2' || d[0] > '6') return false;
  static constexpr std::array<int, 8> weights{1, 3, 7, 9, 1, 3, 7, 9};
  return weighted_sum(d, weights) % 10 == digit(d[8]);
}

bool aba_routing(std::string_view d) {
  const unsigned first = number(d.substr(0, 2));
  return d.size() == 9 && !all_same(d) &&
         (first <= 12 || (first >= 21 && first <= 32) || (first >= 61 && first <= 72) ||
          first == 80) &&
         weighted(d, "371371371", 10);
}

bool vin(std::string_view text) {
  if (text.size() != 17) return false;
  static constexpr std::string_view letters = "ABCDEFGH JKLMN P R STUVWXYZ";
  static constexpr std::string_view values = "12345678 12345 7 9 23456789";
  static constexpr std::array<unsigned, 17> weights{8, 7, 6, 5, 4, 3, 2, 10, 0,
                                                    9, 8, 7, 6, 5, 4, 3, 2};
  unsigned sum = 0;
  bool letter = false;
  for (std::size_t i = 0; i < 17; ++i) {
    unsigned value = 0;
    if (is_digit(text[i])) {
      value = digit(text[i]);
    } else {
      const std::size_t at = letters.find(text[i]);
      if (at == std::string_view::npos || text[i] == ' ') return false;
      value = digit(values[at]);
      letter = true;
    }
    sum += value * weights[i];
  }
  return letter && (sum % 11 == 10 ? 'X' : static_cast<char>('0' + sum % 11)) == text[8];
}

namespace {

bool base58_check(std::string_view text) {
  static constexpr std::string_view alphabet =
      "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  std::array<std::uint8_t, 25> bytes{};
  for (const char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return false;
    auto carry = static_cast<unsigned>(value);
    for (std::size_t i = bytes.size(); i-- > 0;) {
      carry += bytes[i] * 58u;
      bytes[i] = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    if (carry != 0) return false;
  }
  if (bytes[0] != 0 && bytes[0] != 5) return false;
  const auto all = std::as_bytes(std::span(bytes));
  const Digest once = sha256(all.first(21));
  const Digest twice = sha256(once);
  return std::ranges::equal(all.subspan(21), std::span(twice).first(4));
}

bool bech32(std::string_view text) {
  static constexpr std::string_view alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  static constexpr std::array<std::uint32_t, 5> generator{0x3b6a57b2, 0x26508e6d, 0x1ea119fa,
                                                          0x3d4233dd, 0x2a1462b3};
  std::uint32_t check = 1;
  const auto add = [&](std::uint32_t value) {
    const std::uint32_t top = check >> 25;
    check = (check & 0x1ffffff) << 5 ^ value;
    for (std::size_t i = 0; i < 5; ++i) {
      if ((top >> i & 1) != 0) check ^= generator[i];
    }
  };
  for (const std::uint32_t value : {3, 3, 0, 2, 3}) add(value);  // "bc"
  for (const char c : text.substr(3)) {
    const std::size_t value = alphabet.find(static_cast<char>(c | 0x20));
    if (value == std::string_view::npos) return false;
    add(static_cast<std::uint32_t>(value));
  }
  return check == 1 || check == 0x2bc830a3;
}

}  // namespace

bool bitcoin_address(std::string_view text) {
  if (text.size() > 3 && (text.starts_with("bc1") || text.starts_with("BC1"))) {
    return text.size() >= 42 && text.size() <= 62 && bech32(text);
  }
  return text.size() >= 26 && text.size() <= 35 && (text[0] == '1' || text[0] == '3') &&
         base58_check(text);
}

namespace {

/// Keccak-256 as Ethereum has it (not FIPS 202's padding) of at most 135 bytes.
std::array<std::uint8_t, 32> keccak256(std::string_view text) {
  static constexpr std::array<std::uint64_t, 24> round_constants{
      0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
      0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
      0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
      0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
      0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
      0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};
  static constexpr std::array<int, 24> rotations{1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
                                                 27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44};
  static constexpr std::array<std::size_t, 24> lanes{10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
                                                     15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1};
  std::array<std::uint8_t, 136> block{};
  std::ranges::copy(text, block.begin());
  block[text.size()] = 1;
  block[135] |= 0x80;
  std::array<std::uint64_t, 25> state{};
  for (std::size_t i = 0; i < block.size(); ++i) {
    state[i / 8] ^= std::uint64_t{block[i]} << (8 * (i % 8));
  }
  for (const std::uint64_t constant : round_constants) {
    std::array<std::uint64_t, 5> column{};
    for (std::size_t i = 0; i < 25; ++i) column[i % 5] ^= state[i];
    for (std::size_t i = 0; i < 25; ++i) {
      state[i] ^= column[(i + 4) % 5] ^ std::rotl(column[(i + 1) % 5], 1);
    }
    std::uint64_t moved = state[1];
    for (std::size_t i = 0; i < 24; ++i) {
      moved = std::exchange(state[lanes[i]], std::rotl(moved, rotations[i]));
    }
    for (std::size_t row = 0; row < 25; row += 5) {
      std::array<std::uint64_t, 5> before{};
      std::copy_n(state.begin() + static_cast<std::ptrdiff_t>(row), 5, before.begin());
      for (std::size_t i = 0; i < 5; ++i) {
        state[row + i] = before[i] ^ (~before[(i + 1) % 5] & before[(i + 2) % 5]);
      }
    }
    state[0] ^= constant;
  }
  std::array<std::uint8_t, 32> digest{};
  for (std::size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<std::uint8_t>(state[i / 8] >> (8 * (i % 8)));
  }
  return digest;
}

}  // namespace

bool ethereum_address(std::string_view text) {
  const std::string_view hex = text.substr(2);
  if (hex.size() != 40) return false;
  std::string lower(hex);
  bool any_lower = false;
  bool any_upper = false;
  for (char& c : lower) {
    if (!std::isxdigit(static_cast<unsigned char>(c))) return false;
    any_lower = any_lower || (c >= 'a');
    any_upper = any_upper || is_upper(c);
    if (is_upper(c)) c = static_cast<char>(c | 0x20);
  }
  if (!any_lower || !any_upper) return any_lower || any_upper;
  const auto digest = keccak256(lower);
  for (std::size_t i = 0; i < 40; ++i) {
    if (is_digit(hex[i])) continue;
    const unsigned nibble = i % 2 == 0 ? digest[i / 2] >> 4 : digest[i / 2] & 15;
    if ((nibble >= 8) != is_upper(hex[i])) return false;
  }
  return true;
}

}  // namespace sallyport::mask::checksum
