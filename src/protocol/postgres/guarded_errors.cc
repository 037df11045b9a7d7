#include "protocol/postgres/guarded_errors.h"

#include <algorithm>
#include <array>

namespace sallyport::postgres {
namespace {

std::string_view field(const ErrorFields& fields, char code) {
  const auto found = std::ranges::find(fields, code, &std::pair<char, std::string_view>::first);
  return found == fields.end() ? std::string_view() : found->second;
}

struct Words {
  std::string_view of_class;
  std::string_view text;
};
constexpr std::array<Words, 12> words{{
    {"23505", "a value that must be unique is there already"},
    {"23503", "a referenced or referencing row stands against it"},
    {"23502", "a column that must have a value got none"},
    {"23514", "a check of the table or of a type does not hold"},
    {"23P01", "an exclusion constraint does not hold"},
    {"22012", "division by zero"},
    {"22001", "a value is too long for its column"},
    {"22003", "a number is out of range"},
    {"22", "a value is not of the form that was wanted"},
    {"23", "a constraint of the table does not hold"},
    {"40", "the transaction cannot go on beside others; try it again"},
    {"P0", "a function raised an error"},
}};

std::string our_words(std::string_view sqlstate) {
  for (const Words& one : words) {
    if (sqlstate.starts_with(one.of_class)) return std::string(one.text);
  }
  return "the statement failed";
}

/// The server's own words name objects, settings and states of the session, and no values of rows.
bool is_about_the_statement(std::string_view sqlstate) {
  static constexpr std::array<std::string_view, 12> classes = {"08", "0A", "24", "25", "26", "34",
                                                               "3B", "3D", "3F", "53", "55", "57"};
  return sqlstate.starts_with("42") ||
         std::ranges::find(classes, sqlstate.substr(0, 2)) != classes.end();
}

/// These speak of constants, in a statement that only reads: of values that it may read.
bool is_about_values(std::string_view sqlstate) {
  return sqlstate.starts_with("22") || sqlstate.starts_with("21") || sqlstate.starts_with("54");
}

bool is_sqlstate(std::string_view text) {
  return text.size() == 5 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
         });
}

/// A function can raise any state that it makes up, and 25 bits are in it.
std::string_view told_sqlstate(std::string_view sqlstate) {
  static constexpr std::array<std::string_view, 29> classes = {
      "00", "01", "02", "03", "08", "09", "0A", "0B", "20", "21", "22", "23", "24", "25", "26",
      "28", "2B", "2D", "34", "38", "3B", "3D", "3F", "40", "42", "53", "54", "55", "57"};
  if (!is_sqlstate(sqlstate)) return "XX000";
  if (std::ranges::find(classes, sqlstate.substr(0, 2)) != classes.end()) return sqlstate;
  if (sqlstate.starts_with("58")) return "58000";
  if (sqlstate.starts_with("P0")) return "P0001";
  return "XX000";
}

}  // namespace

std::vector<std::pair<char, std::string>> told_error(const ErrorFields& fields, bool writes) {
  const std::string_view sqlstate = told_sqlstate(field(fields, 'C'));
  const bool own = is_about_the_statement(sqlstate) || (!writes && is_about_values(sqlstate));
  std::vector<std::pair<char, std::string>> told;
  for (const char code : {'S', 'V'}) {
    if (const std::string_view value = field(fields, code); !value.empty()) {
      told.emplace_back(code, value);
    }
  }
  told.emplace_back('C', sqlstate);
  told.emplace_back('M', own ? std::string(field(fields, 'M')) : our_words(sqlstate));
  if (sqlstate.starts_with("42") && !writes) {
    if (const std::string_view hint = field(fields, 'H'); !hint.empty()) {
      told.emplace_back('H', hint);
    }
  }
  if (!own) {
    told.emplace_back('H', "its details are left out, because columns are masked for you");
  }
  // Drivers tell a plan that became old by it.
  if (field(fields, 'R') == "RevalidateCachedQuery")
    told.emplace_back('R', "RevalidateCachedQuery");
  return told;
}

std::optional<std::vector<std::pair<char, std::string>>> told_notice(const ErrorFields& fields) {
  const std::string_view severity =
      field(fields, 'V').empty() ? field(fields, 'S') : field(fields, 'V');
  const std::string_view sqlstate = field(fields, 'C');
  // "there is already a transaction in progress": of no other class does a statement need to hear.
  if (severity != "WARNING" || !sqlstate.starts_with("25")) return std::nullopt;
  return std::vector<std::pair<char, std::string>>{{'S', "WARNING"},
                                                   {'V', "WARNING"},
                                                   {'C', std::string(sqlstate)},
                                                   {'M', std::string(field(fields, 'M'))}};
}

}  // namespace sallyport::postgres
