#pragma once
// Finder: one text on its way through the detectors. Part of scanner.cc; the parts are
//   find_numbers.cc  what is made of digits: cards, national numbers, telephones, dates, addresses
//   find_words.cc    what is made of letters and digits: IBAN, tax numbers, wallets, e-mail
//   find_secrets.cc  what begins with a fixed word

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "mask/scanner.h"

namespace sallyport::mask {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
inline bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
inline bool is_letter(char c) {
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'z';
}
inline bool is_alnum(char c) {
  return is_digit(c) || is_letter(c);
}
inline bool is_hex(char c) {
  const char lower = static_cast<char>(c | 0x20);
  return is_digit(c) || (lower >= 'a' && lower <= 'f');
}

class Finder {
 public:
  Finder(Scanner& scanner, std::string_view text, const Topics& named, bool more)
      : scanner_(scanner), classes_(scanner.classes_), text_(text), named_(named), more_(more) {}

  Result<void> run();

 private:
  struct Group {
    std::size_t begin;
    std::size_t end;
    char separator;  // before it; ')' for the end of a bracketed area code, 0 for the first

    std::size_t size() const { return end - begin; }
  };
  static constexpr std::size_t groups_max = 12;
  /// Groups of digits with one separator between each two.
  struct Chain {
    std::array<Group, groups_max> groups;
    std::size_t size = 0;
    /// "3-2-4"; a group of more than nine digits is a letter.
    std::array<char, 2 * groups_max> layout;

    std::string_view layout_from(std::size_t first) const {
      return {layout.data() + first * 2, (size - first) * 2 - 1};
    }
  };

  // find_numbers.cc
  void numbers();
  std::size_t chain_at(std::size_t begin, std::size_t end);
  std::size_t match_groups(const Chain& chain, std::size_t first);
  std::size_t known_layout(const Chain& chain, std::size_t first);
  std::size_t card(const Chain& chain, std::size_t first);
  std::size_t named_card(const Chain& chain, std::size_t first);
  std::size_t date(const Chain& chain, std::size_t first);
  std::size_t written_date(const Chain& chain, std::size_t first);
  std::size_t address(const Chain& chain, std::size_t first);
  std::size_t insurance(const Chain& chain, std::size_t first);
  std::size_t national_phone(const Chain& chain, std::size_t first);
  std::optional<std::size_t> international_phone(std::size_t begin);
  void add_phone(std::size_t begin, std::size_t end);
  bool joined_before(const Chain& chain, std::size_t first) const;
  bool joined_behind(const Chain& chain, std::size_t past) const;
  std::string_view digits(const Chain& chain, std::size_t first, std::size_t count);

  // find_words.cc
  std::size_t word_at(std::size_t begin, std::size_t end);
  bool person_word(std::size_t begin, std::size_t end);
  std::size_t iban_at(std::size_t begin);
  void upper_words();
  void addresses();
  void mail_at(std::size_t at);
  std::size_t url_password(std::size_t begin);
  void colons();
  void mac_at(std::size_t at);
  void ipv6_at(std::size_t& at);

  // find_secrets.cc
  Result<void> secrets();
  void secret(const Secret& secret, std::size_t end);
  void characters(const Secret& secret, std::size_t begin, std::size_t end);
  void jwt(std::size_t begin);
  void private_key(std::size_t begin, std::size_t end);
  void assignment(const Secret& secret, std::size_t begin, std::size_t end);
  void webhook(const Secret& secret, std::size_t begin, std::size_t end);
  void around(const Secret& secret, std::size_t begin, std::size_t end);

  // scanner.cc
  bool wants(Detector detector) const {
    return scanner_.wanted_[static_cast<std::size_t>(detector)];
  }
  void add(Detector detector, std::size_t begin, std::size_t end, bool open = false);
  /// Whether the words around [begin, end), or the column's name, are of these topics.
  bool about(const Topics& topics, std::size_t begin, std::size_t end);
  char at(std::size_t index) const { return index < text_.size() ? text_[index] : '\0'; }
  char before(std::size_t index) const { return index > 0 ? text_[index - 1] : '\0'; }
  void settle();

  Scanner& scanner_;
  const Classes& classes_;
  const std::string_view text_;
  const Topics& named_;
  const bool more_;
  bool words_known_ = false;
  std::size_t key_end_ = 0;  // of the private key that was looked at last
  Result<void> failed_;
  std::array<char, 80> digits_{};
};

/// The topic's word in `text` that ends at `end` stands alone: it is not part of another word.
bool stands_alone(std::string_view text, std::string_view word, std::size_t end);

}  // namespace sallyport::mask
