#include "mask/phone.h"

#include <array>
#include <cstdint>

namespace sallyport::mask {
namespace {

struct Length {
  std::uint8_t min = 0;  // of the national number; 0: no such calling code
  std::uint8_t max = 0;
};

/// Calling code, then the shortest and the longest national number.
constexpr std::string_view plan =
    "1:10-10 7:10-10 20:8-10 27:9-10 30:10-12 31:6-11 32:8-9 33:9-9 34:9-9 36:8-9 39:6-12 40:9-9 "
    "41:9-9 43:6-13 44:7-10 45:8-8 46:7-10 47:8-8 48:7-10 49:6-15 51:8-9 52:10-10 53:6-10 54:10-11 "
    "55:8-11 56:9-11 57:8-11 58:10-10 60:8-10 61:6-12 62:7-17 63:6-13 64:6-10 65:8-11 66:8-13 "
    "81:8-17 82:6-14 84:7-10 86:7-12 90:7-13 91:8-13 92:8-12 93:9-9 94:9-9 95:6-10 98:6-10 211:9-9 "
    "212:9-9 213:8-9 216:8-8 218:9-9 220:7-9 221:9-9 222:8-8 223:8-8 224:8-9 225:10-10 226:8-8 "
    "227:8-8 228:8-8 229:8-10 230:7-10 231:7-9 232:8-8 233:8-9 234:8-14 235:8-8 236:8-8 237:8-9 "
    "238:7-7 239:7-7 240:9-9 241:7-8 242:9-9 243:7-10 244:9-9 245:7-9 246:7-7 247:5-6 248:7-7 "
    "249:9-9 250:8-9 251:9-9 252:6-9 253:8-8 254:7-10 255:9-9 256:9-9 257:8-8 258:8-9 260:9-9 "
    "261:9-9 262:9-9 263:7-10 264:8-9 265:7-9 266:8-8 267:7-10 268:8-9 269:7-7 290:5-5 291:7-7 "
    "297:7-7 298:6-6 299:6-6 350:8-8 351:9-9 352:6-11 353:7-10 354:7-9 355:6-9 356:8-8 357:8-8 "
    "358:6-12 359:6-12 370:8-8 371:8-8 372:7-10 373:8-8 374:8-8 375:6-11 376:6-9 377:8-9 378:8-10 "
    "380:9-10 381:6-12 382:8-9 383:8-12 385:7-9 386:6-8 387:8-9 389:8-8 420:9-9 421:6-9 423:7-9 "
    "500:5-5 501:7-11 502:8-11 503:7-11 504:8-11 505:8-8 506:8-10 507:7-11 508:6-9 509:8-8 590:9-9 "
    "591:8-9 592:7-7 593:8-11 594:9-9 595:6-11 596:9-9 597:6-7 598:6-13 599:7-8 670:7-8 672:6-6 "
    "673:7-7 674:7-7 675:7-8 676:5-7 677:5-7 678:5-7 679:7-11 680:7-7 681:6-9 682:5-5 683:4-7 "
    "685:5-10 686:5-8 687:6-6 688:5-7 689:6-9 690:4-7 691:7-7 692:7-7 800:8-8 808:8-8 850:8-10 "
    "852:6-11 853:7-8 855:8-10 856:8-10 870:9-12 878:12-12 880:6-10 881:9-10 882:7-12 883:8-12 "
    "886:7-11 888:11-11 960:7-10 961:7-8 962:8-9 963:8-9 964:8-10 965:7-8 966:9-10 967:7-9 968:7-9 "
    "970:8-10 971:6-12 972:7-12 973:8-8 974:7-11 975:7-8 976:8-10 977:8-11 979:9-9 992:9-9 993:8-8 "
    "994:9-9 995:9-9 996:9-10 998:9-9 ";

constexpr std::array<Length, 1000> parse_plan() {
  std::array<Length, 1000> lengths{};
  std::array<unsigned, 3> part{};
  std::size_t at = 0;
  for (const char c : plan) {
    if (c >= '0' && c <= '9') {
      part[at] = part[at] * 10 + static_cast<unsigned>(c - '0');
    } else if (c == ' ') {
      lengths[part[0]] = {static_cast<std::uint8_t>(part[1]), static_cast<std::uint8_t>(part[2])};
      part = {};
      at = 0;
    } else {
      ++at;
    }
  }
  return lengths;
}
constexpr std::array<Length, 1000> lengths = parse_plan();

}  // namespace

bool phone_international(std::string_view digits) {
  if (digits.size() < 7 || digits.size() > 15 || digits[0] == '0') return false;
  unsigned code = 0;
  for (std::size_t size = 1; size <= 3; ++size) {
    code = code * 10 + static_cast<unsigned>(digits[size - 1] - '0');
    const Length length = lengths[code];
    if (length.min == 0) continue;
    std::string_view national = digits.substr(size);
    // "+44 (0)20 ...": the zero is dialled inside of the country only.
    if (code != 39 && national.starts_with('0')) national.remove_prefix(1);
    if (code == 1) return phone_north_american(national);
    return national.size() >= length.min && national.size() <= length.max;
  }
  return false;
}

bool phone_north_american(std::string_view digits) {
  if (digits.size() != 10 || digits[0] < '2' || digits[3] < '2') return false;
  const bool service = digits[1] == '1' && digits[2] == '1';  // 911 and the like
  return !service && digits.find_first_not_of(digits[0]) != std::string_view::npos;
}

}  // namespace sallyport::mask
