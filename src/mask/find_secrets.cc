// What begins with a fixed word: keys, tokens, passwords that are assigned.

#include <algorithm>

#include "base/bytes.h"
#include "mask/finder.h"

namespace sallyport::mask {
namespace {

bool is_base64(char c) {
  return is_alnum(c) || c == '+' || c == '/' || c == '=';
}
bool is_base64url(char c) {
  return is_alnum(c) || c == '-' || c == '_';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool in_class(char c, std::string_view name) {
  switch (name[0]) {
    case 'w':
      return is_alnum(c);
    case '-':
      return is_base64url(c);
    case 'U':
      return is_upper(c) || is_digit(c);
    case 'h':
      return is_digit(c) || (c >= 'a' && c <= 'f');
    case 'b':
      return is_base64(c);
    case '$':
      return is_base64url(c) || c == '$';
    default:
      return is_base64url(c) || c == '.' || c == '~' || c == '=' || c == '+' || c == '/';
  }
}

constexpr std::size_t value_max = 600;

/// Where a run of such characters ends; `most`: it does not matter whether it is longer.
std::size_t run_of(std::string_view text, std::size_t from, bool (*in)(char),
                   std::size_t most = value_max) {
  std::size_t end = from;
  while (end < text.size() && end - from < most && in(text[end])) ++end;
  return end;
}

/// What may stand in a PEM block behind its first line, also where line ends are escaped.
bool in_pem(char c) {
  return is_base64(c) || is_space(c) || c == '-' || c == ':' || c == ',' || c == '\\' || c == '"';
}

}  // namespace

Result<void> Finder::secrets() {
  std::vector<Match>& matches = scanner_.matches_;
  matches.clear();
  if (auto found = scanner_.matcher_.secrets(text_, candidates_max, matches); !found) return found;
  for (const Match& match : matches) {
    const Secret& one = mask::secrets()[match.id];
    if (wants(one.detector)) secret(one, match.end);
  }
  return ok();
}

void Finder::secret(const Secret& secret, std::size_t end) {
  const std::size_t begin = end - secret.literal.size();
  switch (secret.follow) {
    case Follow::characters:
      return characters(secret, begin, end);
    case Follow::jwt:
      return jwt(begin);
    case Follow::private_key:
      return private_key(begin, end);
    case Follow::assignment:
    case Follow::aws_secret:
    case Follow::basic:
      return assignment(secret, begin, end);
    case Follow::slack_hook:
    case Follow::discord_hook:
      return webhook(secret, begin, end);
    case Follow::azure_key:
    case Follow::azure_secret:
    case Follow::mailchimp:
    case Follow::sendgrid:
    case Follow::sas:
      return around(secret, begin, end);
  }
}

void Finder::characters(const Secret& secret, std::size_t begin, std::size_t end) {
  const char first = secret.literal[0];
  if (is_alnum(first) ? is_alnum(before(begin)) : false) return;
  std::size_t past = end;
  const std::size_t most = end + secret.max;
  while (past < text_.size() && past <= most && in_class(text_[past], secret.characters)) ++past;
  if (past - end < secret.min || past > most) return;
  if (is_alnum(at(past))) return;
  const std::string_view value = text_.substr(end, past - end);
  // Placeholders: "xxxx", "0000".
  if (value.find_first_not_of(value[0]) == std::string_view::npos) return;
  if (secret.any_case) {
    begin = end;  // "Bearer" itself may stay
    if (std::ranges::none_of(value, is_digit)) return;
  } else if (secret.literal[0] == '.') {
    while (begin > 0 && is_alnum(text_[begin - 1]) && end - begin < 32) --begin;
  }
  add(secret.detector, begin, past);
}

/// Two or more dots; what each part holds is not looked at but for the first ones' beginning.
void Finder::jwt(std::size_t begin) {
  if (is_base64url(before(begin)) || before(begin) == '.') return;
  const std::size_t header = run_of(text_, begin, is_base64url, text_bytes_max);
  if (header - begin < 12) return;
  std::size_t end = header;
  unsigned dots = 0;
  while (at(end) == '.' && dots < 4) {
    ++dots;
    end = run_of(text_, end + 1, is_base64url, text_bytes_max);
  }
  const bool open = more_ && end == text_.size();
  if (!open && (dots < 2 || end - begin < 30)) return;
  add(Detector::jwt, begin, end, open);
}

void Finder::private_key(std::size_t begin, std::size_t end) {
  if (begin < key_end_) return;
  const std::size_t dashes = text_.substr(end, 40).find("-----");
  if (dashes == std::string_view::npos) return;
  const std::string_view kind = text_.substr(end, dashes);
  if (!kind.ends_with("PRIVATE KEY") && !kind.ends_with("PRIVATE KEY BLOCK")) return;
  std::size_t past = end + dashes + 5;
  while (past < text_.size() && in_pem(text_[past])) {
    if (text_[past] == '-' && text_.substr(past).starts_with("-----END ")) {
      const std::size_t close = text_.substr(past + 9, 40).find("-----");
      if (close == std::string_view::npos) break;
      key_end_ = past;
      return add(Detector::private_key, begin, past + 9 + close + 5);
    }
    // A quote ends the value unless it is escaped.
    if (text_[past] == '"' && text_[past - 1] != '\\') break;
    ++past;
  }
  // Without its end it is a key all the same.
  key_end_ = past;
  while (past > begin && (is_space(text_[past - 1]) || text_[past - 1] == '\\')) --past;
  add(Detector::private_key, begin, past, more_ && past == text_.size());
}

/// "password = value", "pwd: 'value'", "Authorization: Basic ...".
void Finder::assignment(const Secret& secret, std::size_t begin, std::size_t end) {
  if (is_letter(before(begin)) && !is_upper(text_[begin])) return;
  std::size_t from = end;
  bool equals = true;
  if (secret.follow == Follow::basic) {
    const std::size_t past = run_of(text_, from, is_base64);
    const auto decoded = from_base64(text_.substr(from, past - from));
    if (past - from < 8 || past - from > 512 || !decoded || !as_text(*decoded).contains(':'))
      return;
    return add(secret.detector, from, past);
  }
  while (from < text_.size() && from - end < 12 && (is_alnum(text_[from]) || text_[from] == '_')) {
    ++from;  // password_hash, DB_PASSWORD_2
  }
  while (is_space(at(from)) || at(from) == '"' || at(from) == '\'') ++from;
  if (at(from) != '=' && at(from) != ':') return;
  equals = at(from) == '=';
  if (equals && (at(from + 1) == '=' || at(from + 1) == '>')) return;
  ++from;
  while (at(from) == ' ') ++from;
  const char quote = at(from) == '"' || at(from) == '\'' ? text_[from] : '\0';
  if (quote != 0) ++from;
  std::size_t past = from;
  while (past < text_.size() && past - from < 256 && !is_space(text_[past]) && text_[past] != '"' &&
         text_[past] != '\'' && text_[past] != '\\' && text_[past] != '<' && text_[past] != '&' &&
         text_[past] != '}' && text_[past] != ')' &&
         (quote != 0 || (text_[past] != ',' && text_[past] != ';'))) {
    ++past;
  }
  const std::string_view value = text_.substr(from, past - from);
  if (secret.follow == Follow::aws_secret) {
    if (value.size() == 40 && std::ranges::all_of(value, is_base64))
      add(secret.detector, from, past);
    return;
  }
  // A reference to a secret is none: ${VAR}, {{ x }}, $1, %s, null, true.
  if (value.size() < 4 || value[0] == '$' || value[0] == '{' || value[0] == '%' ||
      value[0] == '*' || value == "null" || value == "true" || value == "false" ||
      value == "None") {
    return;
  }
  // Code: a call, an index, a member.
  if (quote == 0 && value.find_first_of("([") != std::string_view::npos) return;
  if (quote == 0 && value.contains('.') &&
      std::ranges::all_of(value, [](char c) { return is_letter(c) || c == '_' || c == '.'; })) {
    return;
  }
  const bool mixed = std::ranges::any_of(value, [](char c) { return !is_letter(c) && c != '.'; });
  if (!equals && !mixed && (quote == 0 || value.size() < 6)) return;  // "Password: required"
  add(secret.detector, from, past);
}

void Finder::webhook(const Secret& secret, std::size_t, std::size_t end) {
  const auto path = [](char c) { return is_base64url(c) || c == '/'; };
  const std::size_t past = run_of(text_, end, path);
  const std::string_view value = text_.substr(end, past - end);
  const std::size_t slash = value.rfind('/');
  if (value.size() < 30 || value.size() > 160 || slash == std::string_view::npos ||
      value.size() - slash < 20) {
    return;
  }
  add(secret.detector, end, past);
}

/// What the fixed word stands in the middle, or before a value of its own kind.
void Finder::around(const Secret& secret, std::size_t begin, std::size_t end) {
  const auto key = [](char c) { return is_base64url(c) || c == '~' || c == '.'; };
  std::size_t from = end;
  std::size_t past = end;
  switch (secret.follow) {
    case Follow::azure_key:
      past = run_of(text_, end, is_base64);
      if (past - end < 43 || past - end > 90) return;
      break;
    case Follow::azure_secret: {
      from = begin;
      while (from > 0 && begin - from < 4 && key(text_[from - 1])) --from;
      past = run_of(text_, end, key);
      if (begin - from != 3 || past - end < 31 || past - end > 34) return;
      break;
    }
    case Follow::mailchimp: {
      from = begin;
      while (from > 0 && begin - from < 33 && is_hex(text_[from - 1])) --from;
      past = run_of(text_, end, is_digit);
      if (begin - from != 32 || past == end || past - end > 2 || is_alnum(at(past))) return;
      break;
    }
    case Follow::sendgrid: {
      if (is_alnum(before(begin))) return;
      from = begin;
      const std::size_t dot = run_of(text_, end, is_base64url);
      if (dot - end < 16 || dot - end > 32 || at(dot) != '.') return;
      past = run_of(text_, dot + 1, is_base64url);
      if (past - dot < 16 || past - dot > 66) return;
      break;
    }
    default: {  // sas
      past = run_of(text_, end, [](char c) { return is_base64(c) || c == '%'; });
      if (past - end < 43 || past - end > 80) return;
      break;
    }
  }
  add(secret.detector, from, past);
}

}  // namespace sallyport::mask
