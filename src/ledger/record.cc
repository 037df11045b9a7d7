#include "ledger/record.h"

#include <array>
#include <utility>

namespace sallyport::ledger {
namespace {

constexpr std::array<std::pair<RecordKind, std::string_view>, 9> names{{
    {RecordKind::session_start, "session_start"},
    {RecordKind::session_end, "session_end"},
    {RecordKind::command, "command"},
    {RecordKind::outcome, "outcome"},
    {RecordKind::refusal, "refusal"},
    {RecordKind::login_refused, "login_refused"},
    {RecordKind::admin_change, "admin_change"},
    {RecordKind::recovery, "recovery"},
    {RecordKind::gateway, "gateway"},
}};

}  // namespace

std::string_view to_string(RecordKind kind) {
  for (const auto& [known, name] : names) {
    if (known == kind) return name;
  }
  return "unknown";
}

std::optional<RecordKind> record_kind_from(std::string_view name) {
  for (const auto& [kind, known] : names) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

std::optional<RecordKind> record_kind_from(std::uint8_t number) {
  for (const auto& [kind, name] : names) {
    if (static_cast<std::uint8_t>(kind) == number) return kind;
  }
  return std::nullopt;
}

}  // namespace sallyport::ledger
