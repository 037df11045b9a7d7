#include "protocol/http/masking.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/resource_id.h"
#include "http/text.h"
#include "policy/policies.h"
#include "protocol/http/fields.h"

namespace sallyport::web {
namespace {

std::vector<std::string_view> values_of(const http::Headers& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (const http::Header& header : headers.all) {
    if (http::equal_ignoring_case(header.name, name)) values.push_back(header.value);
  }
  return values;
}

/// What is classified in an answer of this status and type.
std::shared_ptr<const content::Selector> selector_of(const Masking& masking, const Masks& masks,
                                                     int status, std::string_view content_type) {
  if (masking.openapi == nullptr) return masking.selector;
  const auto type = content::parse_media_type(content_type);
  return masking.openapi->response(*masks.operation, status, type ? type->essence : "");
}

/// What it stands for in a URL or a form.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = http::percent_byte(text.substr(i));
    plain += byte ? *byte : text[i] == '+' ? ' ' : text[i];
    if (byte) i += 2;
  }
  return plain;
}

/// Hides what is found in its value, and counts it. False if the field must not go out for all
/// that.
bool hide_in(http::Header& field, mask::Masker& detectors, content::Masked& masked) {
  const bool masks = detectors.mode() == mask::Mode::mask;
  mask::Findings findings;
  mask::Findings escaped;
  std::string name = field.name;
  std::string value = field.value;
  const auto topics = detectors.topics_of(name);
  const bool looked =
      topics && detectors.whole(name, {}, findings) && detectors.whole(value, *topics, findings);
  std::string plain = unescaped(value);
  bool known = looked;
  if (looked && plain != value) known = detectors.whole(plain, *topics, escaped).has_value();
  // Where nothing is hidden, what is found as it is may be found again without its escapes.
  if (!masks && escaped.found.size() > findings.found.size()) std::swap(escaped, findings);
  const bool all_hidden = name == field.name && escaped.found.empty();
  masked.add(findings);
  if (masks) masked.add(escaped);
  if (!known) ++masked.withheld;
  if (!masks) return true;
  field.value = std::move(value);
  return known && all_hidden && std::ranges::all_of(field.value, http::is_field_char) &&
         http::trim(field.value) == field.value;
}

}  // namespace

bool asks_for_sameness(const http::Request& request) {
  return std::ranges::any_of(request.headers.all, [&](const http::Header& field) {
    const bool asks =
        http::equal_ignoring_case(field.name, "If-Match") ||
        (!is_safe(request.method) && http::equal_ignoring_case(field.name, "If-None-Match"));
    return asks && field.value != "*";  // whether it is there at all
  });
}

void mask_fields(http::Headers& fields, mask::Masker& detectors, content::Masked& masked) {
  std::vector<http::Header> all = std::exchange(fields.all, {});
  for (http::Header& field : all) {
    if (hide_in(field, detectors, masked)) fields.all.push_back(std::move(field));
  }
}

Result<Masks> masks_of(const Guard& guard, const Session& session, const Route& route,
                       policy::DecisionCache* cache, Command& command) {
  const Masking& masking = route.target->masking;
  Masks masks;
  if (masking.openapi != nullptr) {
    const auto& endpoint = command.actions.front().resource;
    const auto name = endpoint_name(endpoint.id);
    const auto match = masking.openapi->match(name ? name->method : "", route.path);
    if (!match) {
      return fail(Errc::denied, "the OpenAPI document of connection " + route.target->connection +
                                    " does not describe this operation");
    }
    masks.operation = match->operation;
  }
  // An answer that nothing describes holds all that the operation's answers could.
  const auto selector = selector_of(masking, masks, 0, "");
  if (selector == nullptr || selector->empty()) return masks;
  command.policy_epoch = guard.policies()->epoch();
  for (const std::string& label : selector->classes()) {
    const Action reveal{
        .name = "http:reveal",
        .resource = {.type = "Field", .id = resource_id({route.target->connection, label})}};
    const auto decision = guard.safeguards(session, command.context, {reveal}, cache);
    if (decision->verdict == Verdict::allow) {
      masks.revealed.push_back(label);
      continue;
    }
    const mask::Mask mask = mask::mask_of(std::span(&label, 1), masking.rules);
    command.safeguards.push_back(
        {.action = reveal, .effect = fmt::format("{} ({})", mask::to_string(mask.kind), label)});
  }
  return masks;
}

Result<std::optional<content::BodyMasker>> masker_of(const Masking& masking, const Masks& masks,
                                                     const http::ResponseHead& head,
                                                     mask::Masker* detectors) {
  const auto types = values_of(head.headers, "Content-Type");
  const auto selector =
      selector_of(masking, masks, head.status, types.empty() ? "" : types.front());
  auto plan = content::Plan::make(selector, masking.rules, masks.revealed, masking.key, detectors);
  if (plan.idle()) return std::nullopt;
  // A part of a document has no paths.
  if (head.status == 206) {
    return fail(Errc::denied, "this answer would have to be masked, and is only a part");
  }
  content::BodyLimits limits;
  auto made = content::BodyMasker::make(types, values_of(head.headers, "Content-Encoding"),
                                        std::move(plan), limits);
  if (!made) return fail(made);
  if (!made->changes()) return std::nullopt;
  return std::optional<content::BodyMasker>(*std::move(made));
}

}  // namespace sallyport::web
