#include "protocol/postgres/settings.h"

#include <algorithm>
#include <array>

#include "protocol/postgres/sql/actions.h"

namespace sallyport::postgres {
namespace {

constexpr std::size_t options_bytes_max = 1024;

// What PostgreSQL reports by itself (GUC_REPORT), in lower case.
constexpr std::array reported = {
    std::string_view("application_name"),
    std::string_view("client_encoding"),
    std::string_view("datestyle"),
    std::string_view("default_transaction_read_only"),
    std::string_view("in_hot_standby"),
    std::string_view("integer_datetimes"),
    std::string_view("intervalstyle"),
    std::string_view("is_superuser"),
    std::string_view("scram_iterations"),
    std::string_view("search_path"),
    std::string_view("server_encoding"),
    std::string_view("server_version"),
    std::string_view("session_authorization"),
    std::string_view("standard_conforming_strings"),
    std::string_view("timezone"),
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// UTF8 under any of its spellings, and SQL_ASCII, which is what a client without a locale says.
/// Both get UTF8; an encoding with other bytes for a quote would let two readers see two texts.
bool acceptable_encoding(std::string_view value) {
  std::string plain;
  for (const char c : lower(value)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain.push_back(c);
  }
  return plain == "utf8" || plain == "unicode" || plain == "sqlascii";
}

Result<void> take_setting(std::string_view written, std::string_view value,
                          StartupSettings& settings) {
  const std::string name = lower(written);
  if (name == "application_name") {
    settings.application_name = value;
    return ok();
  }
  if (name == "client_encoding") {
    if (acceptable_encoding(value)) return ok();
    return fail(Errc::invalid, "client_encoding must be UTF8 (for psql: PGCLIENTENCODING=UTF8)");
  }
  if (name == "standard_conforming_strings" && lower(value) == "on") return ok();
  if (!sql::is_harmless_setting(name)) {
    return fail(Errc::invalid, "setting \"" + name + "\" may not be set at connect");
  }
  settings.settings.emplace_back(name, value);
  return ok();
}

}  // namespace

Result<std::vector<Setting>> parse_options(std::string_view options) {
  if (options.size() > options_bytes_max) return fail(Errc::too_large, "options are too long");
  std::vector<std::string> words;
  bool in_word = false;
  for (std::size_t i = 0; i < options.size(); ++i) {
    char c = options[i];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v') {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == '\\') {
      if (++i == options.size()) return fail(Errc::invalid, "options end in a backslash");
      c = options[i];
    }
    words.back().push_back(c);
  }

  std::vector<Setting> settings;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word == "-c") {
      if (++i == words.size()) return fail(Errc::invalid, "-c in options needs name=value");
      word = words[i];
    } else if (word.starts_with("-c") || word.starts_with("--")) {
      word.remove_prefix(2);
    } else {
      return fail(Errc::invalid, "options may only hold -c name=value and --name=value");
    }
    const std::size_t equals = word.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return fail(Errc::invalid, "a setting in options needs name=value");
    }
    std::string name(word.substr(0, equals));
    std::ranges::replace(name, '-', '_');
    settings.emplace_back(std::move(name), word.substr(equals + 1));
  }
  return settings;
}

Result<StartupSettings> check_startup(const StartupMessage& startup) {
  StartupSettings checked;
  for (const auto& [name, value] : startup.parameters) {
    if (name == "user") {
      checked.user = value;
    } else if (name == "database") {
      checked.database = value;
    } else if (name == "replication") {
      const std::string wanted = lower(value);
      if (wanted != "false" && wanted != "off" && wanted != "no" && wanted != "0") {
        return fail(Errc::invalid, "replication connections are not allowed");
      }
    } else if (name == "options") {
      auto settings = parse_options(value);
      if (!settings) return fail(settings);
      for (const auto& [key, wanted] : *settings) {
        auto taken = take_setting(key, wanted, checked);
        if (!taken) return fail(taken);
      }
    } else if (name.starts_with("_pq_.")) {
      checked.unknown_protocol_options.push_back(name);
    } else {
      auto taken = take_setting(name, value, checked);
      if (!taken) return fail(taken);
    }
  }
  if (checked.user.empty()) return fail(Errc::invalid, "no user was given");
  return checked;
}

bool is_reported(std::string_view name) {
  return std::ranges::find(reported, lower(name)) != reported.end();
}

std::optional<std::vector<std::string>> parse_search_path(std::string_view text) {
  std::vector<std::string> schemas;
  std::size_t i = 0;
  const auto skip_spaces = [&] {
    while (i < text.size() && text[i] == ' ') ++i;
  };
  skip_spaces();
  if (i == text.size()) return schemas;
  while (true) {
    skip_spaces();
    std::string name;
    if (i < text.size() && text[i] == '"') {
      for (++i;; ++i) {
        if (i == text.size()) return std::nullopt;
        if (text[i] != '"') {
          name.push_back(text[i]);
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          name.push_back(text[i++]);
        } else {
          break;
        }
      }
      ++i;
      if (name.empty()) {  // no schema is called that: SET search_path = '' leaves it out
        skip_spaces();
        if (i == text.size()) return schemas;
        if (text[i++] != ',') return std::nullopt;
        continue;
      }
    } else {
      while (i < text.size() && ((text[i] >= 'a' && text[i] <= 'z') ||
                                 (text[i] >= '0' && text[i] <= '9') || text[i] == '_')) {
        name.push_back(text[i++]);
      }
    }
    // "$user" would be resolved with the gateway's own login, which is nobody's schema here.
    if (name.empty() || name == "$user" || schemas.size() == 32) return std::nullopt;
    schemas.push_back(std::move(name));
    skip_spaces();
    if (i == text.size()) return schemas;
    if (text[i++] != ',') return std::nullopt;
  }
}

std::string to_search_path(const std::vector<std::string>& schemas) {
  std::string text;
  for (const std::string& schema : schemas) {
    if (!text.empty()) text += ", ";
    text.push_back('"');
    for (const char c : schema) {
      if (c == '"') text.push_back('"');
      text.push_back(c);
    }
    text.push_back('"');
  }
  return text;
}

}  // namespace sallyport::postgres
