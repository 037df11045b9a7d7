#include "core/model.h"

namespace sallyport {

std::string_view cedar_type(IdentityKind kind) {
  switch (kind) {
    case IdentityKind::user:
      return "User";
    case IdentityKind::agent:
      return "Agent";
    case IdentityKind::workload:
      return "Workload";
  }
  return "User";
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::allow:
      return "allow";
    case Verdict::hold:
      return "hold";
    case Verdict::deny:
      return "deny";
  }
  return "deny";
}

std::string Chain::to_string() const {
  std::string text;
  for (const Identity& identity : identities) {
    if (!text.empty()) text += " via ";
    text += identity.id;
  }
  return text;
}

const Answer* Decision::refused() const {
  for (const Answer& answer : answers) {
    if (!answer.allowed) return &answer;
  }
  return nullptr;
}

std::string_view approval_hash(const CommandContext& context) {
  if (const auto* const sql = std::get_if<SqlContext>(&context)) return sql->hash;
  if (const auto* const http = std::get_if<HttpContext>(&context)) return http->hash;
  return {};
}

}  // namespace sallyport
