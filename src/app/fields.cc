#include "app/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "base/numbers.h"

namespace sallyport::app {
namespace {

constexpr std::size_t name_bytes_max = 64;  // longer names are not worth a guess

/// Levenshtein's distance, with a swap of neighbours counted as one.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = std::exchange(last, row);
  }
  return last[b.size()];
}

std::string_view kind_name(const Value& value) {
  switch (value.kind) {
    case Value::Kind::null:
      return "nothing";
    case Value::Kind::scalar:
      return "a single value";
    case Value::Kind::list:
      return "a list";
    case Value::Kind::map:
      return "keys and values";
  }
  return "something else";
}

}  // namespace

std::string nearest(std::string_view name, const std::vector<std::string>& names) {
  if (name.size() > name_bytes_max) return {};
  std::string best;
  std::size_t best_distance = name.size() / 3 + 2;
  for (const std::string& candidate : names) {
    const bool part = name.size() >= 3 && (candidate.find(name) != std::string::npos ||
                                           name.find(candidate) != std::string_view::npos);
    const std::size_t d = part ? 1 : distance(name, candidate);
    if (d < best_distance) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

std::filesystem::path resolve_path(const Place& place, const std::string& text) {
  const std::filesystem::path path(text);
  if (path.is_absolute() || !place.file) return path.lexically_normal();
  return (std::filesystem::absolute(*place.file).parent_path() / path).lexically_normal();
}

std::optional<std::string> scalar_text(const Value& value, const std::string& name,
                                       std::vector<Problem>& problems) {
  if (value.kind == Value::Kind::scalar) return value.scalar;
  problems.push_back(
      {value.place, fmt::format("{} must be a text, not {}", name, kind_name(value)), ""});
  return std::nullopt;
}

Fields::Fields(const Value& map, std::string name, std::vector<Problem>& problems)
    : map_(map), name_(std::move(name)), problems_(problems) {
  if (map.kind != Value::Kind::map) {
    problems_.push_back(
        {map.place, fmt::format("{} must be keys and values, not {}", name_, kind_name(map)), ""});
  }
}

std::string Fields::path_of(const std::string& key) const {
  return name_.empty() ? key : name_ + "." + key;
}

bool Fields::has(std::string_view key) {
  return map_.find(key) != nullptr;
}

const Value* Fields::get(const std::string& key) {
  known_.push_back(key);
  const Value* value = map_.find(key);
  if (value && value->kind == Value::Kind::null) {
    problem(key, fmt::format("{} has no value", path_of(key)), "give it one, or remove the key");
    return nullptr;
  }
  return value;
}

const Value* Fields::require(const std::string& key, const std::string& example) {
  const Value* value = get(key);
  if (!value && !has(key) && map_.kind == Value::Kind::map) {
    problem_here(fmt::format("{} is missing", path_of(key)),
                 example.empty() ? "" : "for example  " + example);
  }
  return value;
}

std::optional<std::string> Fields::text(const std::string& key) {
  const Value* value = get(key);
  if (!value) return std::nullopt;
  return scalar_text(*value, path_of(key), problems_);
}

std::string Fields::text_or(const std::string& key, std::string fallback) {
  return text(key).value_or(std::move(fallback));
}

std::string Fields::required_text(const std::string& key, const std::string& example) {
  const Value* value = require(key, example);
  if (!value) return {};
  std::string found = scalar_text(*value, path_of(key), problems_).value_or("");
  if (value->kind == Value::Kind::scalar && found.empty()) {
    problem(key, fmt::format("{} is empty", path_of(key)), "for example  " + example);
  }
  return found;
}

std::optional<std::uint64_t> Fields::number(const std::string& key, std::uint64_t min,
                                            std::uint64_t max) {
  const Value* value = get(key);
  if (!value) return std::nullopt;
  const auto parsed = value->kind == Value::Kind::scalar && !value->quoted
                          ? parse_number<std::uint64_t>(value->scalar)
                          : Result<std::uint64_t>(fail(Errc::malformed, ""));
  if (!parsed && !(value->kind == Value::Kind::scalar && parsed.error().code == Errc::too_large)) {
    problem(key, fmt::format("{} must be a whole number", path_of(key)),
            fmt::format("from {} to {}, without quotes", min, max));
    return std::nullopt;
  }
  if (!parsed || *parsed < min || *parsed > max) {
    problem(key, fmt::format("{} is out of range", path_of(key)),
            fmt::format("from {} to {}", min, max));
    return std::nullopt;
  }
  return *parsed;
}

std::uint64_t Fields::number_or(const std::string& key, std::uint64_t fallback, std::uint64_t min,
                                std::uint64_t max) {
  return number(key, min, max).value_or(fallback);
}

bool Fields::flag_or(const std::string& key, bool fallback) {
  const Value* value = get(key);
  if (!value) return fallback;
  if (value->kind == Value::Kind::scalar && !value->quoted) {
    if (value->scalar == "true") return true;
    if (value->scalar == "false") return false;
  }
  problem(key, fmt::format("{} must be true or false", path_of(key)));
  return fallback;
}

std::vector<std::string> Fields::texts(const std::string& key) {
  const Value* value = list(key);
  std::vector<std::string> found;
  if (!value) return found;
  for (const Value& item : value->items) {
    if (auto item_text = scalar_text(item, "each of " + path_of(key), problems_)) {
      found.push_back(std::move(*item_text));
    }
  }
  return found;
}

std::string Fields::choice_or(const std::string& key, std::string fallback,
                              const std::vector<std::string>& choices) {
  auto chosen = text(key);
  if (!chosen) return fallback;
  if (std::ranges::find(choices, *chosen) != choices.end()) return *chosen;
  const std::string near = nearest(*chosen, choices);
  problem(key, fmt::format("{} cannot be '{}'", path_of(key), *chosen),
          near.empty()
              ? fmt::format("one of {}", fmt::join(choices, ", "))
              : fmt::format("did you mean '{}'? One of {}", near, fmt::join(choices, ", ")));
  return fallback;
}

std::filesystem::path Fields::file(const std::string& key) {
  const Value* value = get(key);
  if (!value) return {};
  const auto written = scalar_text(*value, path_of(key), problems_);
  if (!written) return {};
  const std::filesystem::path path = resolve_path(value->place, *written);
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    problem(key, fmt::format("{}: there is no file '{}'", path_of(key), path.string()),
            "paths are relative to the configuration file");
  } else if (!std::ifstream(path)) {
    problem(key, fmt::format("{}: the file '{}' cannot be read", path_of(key), path.string()),
            "check its owner and mode");
  }
  return path;
}

const Value* Fields::map(const std::string& key) {
  const Value* value = get(key);
  if (!value || value->kind == Value::Kind::map) return value;
  problem(key, fmt::format("{} must be keys and values, not {}", path_of(key), kind_name(*value)));
  return nullptr;
}

const Value* Fields::list(const std::string& key) {
  const Value* value = get(key);
  if (!value || value->kind == Value::Kind::list) return value;
  problem(
      key, fmt::format("{} must be a list, not {}", path_of(key), kind_name(*value)),
      value->kind == Value::Kind::scalar ? fmt::format("write {}: [{}]", key, value->scalar) : "");
  return nullptr;
}

void Fields::problem(const std::string& key, std::string what, std::string hint) {
  const auto entry = std::ranges::find(map_.entries, key, &Entry::key);
  Place place = map_.place;
  // What is not there has no place of its own; its key has.
  if (entry != map_.entries.end()) {
    place = entry->value->kind == Value::Kind::null ? entry->place : entry->value->place;
  }
  problems_.push_back({std::move(place), std::move(what), std::move(hint)});
}

void Fields::problem_here(std::string what, std::string hint) {
  problems_.push_back({map_.place, std::move(what), std::move(hint)});
}

void Fields::finish() {
  std::vector<std::string> unused;  // a guess must be a key that is not there already
  for (const std::string& key : known_) {
    if (!map_.find(key)) unused.push_back(key);
  }
  for (const Entry& entry : map_.entries) {
    if (std::ranges::find(known_, entry.key) != known_.end()) continue;
    std::string near = nearest(entry.key, unused);
    std::vector<std::string> sorted = known_;
    std::ranges::sort(sorted);
    problems_.push_back({entry.place, fmt::format("unknown key '{}'", path_of(entry.key)),
                         near.empty() ? fmt::format("known here: {}", fmt::join(sorted, ", "))
                                      : fmt::format("did you mean '{}'?", near)});
  }
}

}  // namespace sallyport::app
