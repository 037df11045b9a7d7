#include "content/schema_states.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace sallyport::content {
namespace {

using Way = SelectorBuilder::Way;

constexpr int references_max = 50;

/// "~1" is a slash and "~0" a tilde (RFC 6901).
std::string unescape_pointer(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '~' && i + 1 < text.size()) {
      out += text[++i] == '1' ? '/' : '~';
    } else {
      out += text[i];
    }
  }
  return out;
}

const DocumentValue* step(const DocumentValue& from, std::string_view name) {
  if (!from.is_list()) return from.find(name);
  std::size_t index = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool number = problem == std::errc() && end == name.data() + name.size();
  return number && index < from.items.size() ? &from.items[index] : nullptr;
}

}  // namespace

std::vector<std::string> texts_of(const DocumentValue& value) {
  std::vector<std::string> texts;
  if (value.is_scalar()) texts.push_back(value.text);
  for (const DocumentValue& item : value.items) {
    if (item.is_scalar()) texts.push_back(item.text);
  }
  return texts;
}

SchemaStates::SchemaStates(const DocumentValue& document, SelectorBuilder& builder,
                           Complain complain)
    : document_(document), builder_(builder), complain_(std::move(complain)) {
  const DocumentValue* const components = document_.find("components");
  const DocumentValue* const schemas = components ? components->find("schemas") : nullptr;
  if (schemas == nullptr) return;
  for (const auto& [name, schema] : schemas->members) {
    const DocumentValue* const parts = schema.find("allOf");
    if (parts == nullptr) continue;
    for (const DocumentValue& part : parts->items) {
      if (part.find("$ref") == nullptr) continue;
      if (const auto* parent = resolve(*part.find("$ref"))) heirs_.emplace(parent, &schema);
    }
  }
}

const DocumentValue* SchemaStates::resolve(const DocumentValue& reference) {
  if (!reference.is_scalar()) {
    complain_(reference.line, "$ref must be a text");
    return nullptr;
  }
  const std::string& text = reference.text;
  if (text == "#") return &document_;
  if (!text.starts_with("#/")) {
    complain_(reference.line,
              fmt::format("$ref '{}' is not in this document: bundle the files into one", text));
    return nullptr;
  }
  const DocumentValue* at = &document_;
  for (std::size_t begin = 2; at != nullptr && begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    at = step(*at, unescape_pointer(std::string_view(text).substr(begin, end - begin)));
    begin = end + 1;
  }
  if (at == nullptr) complain_(reference.line, fmt::format("$ref '{}' leads nowhere", text));
  return at;
}

const DocumentValue* SchemaStates::follow(const DocumentValue& value) {
  const DocumentValue* at = &value;
  for (int i = 0; i < references_max; ++i) {
    const DocumentValue* const reference = at->find("$ref");
    if (reference == nullptr) return at;
    at = resolve(*reference);
    if (at == nullptr) return nullptr;
  }
  complain_(value.line, "$ref leads to itself");
  return nullptr;
}

SelectorBuilder::State SchemaStates::later(const DocumentValue& schema) {
  const auto known = known_.find(&schema);
  if (known != known_.end()) return known->second;
  const auto state = builder_.add_state();
  known_.emplace(&schema, state);
  waiting_.push_back(&schema);
  return state;
}

SelectorBuilder::State SchemaStates::state_of(const DocumentValue& schema) {
  const auto state = later(schema);
  while (!waiting_.empty()) {
    const DocumentValue& next = *waiting_.front();
    waiting_.pop_front();
    expand(next, known_.at(&next));
  }
  return state;
}

void SchemaStates::expand(const DocumentValue& schema, SelectorBuilder::State state) {
  if (!schema.is_map()) return;  // true, false
  if (const auto* reference = schema.find("$ref")) {
    if (const auto* target = resolve(*reference)) builder_.on(Way::also, state, later(*target));
  }
  for (const char* unsupported : {"$dynamicRef", "$recursiveRef"}) {
    if (const auto* found = schema.find(unsupported)) {
      complain_(found->line, fmt::format("{} is not supported", unsupported));
    }
  }
  if (const auto* classification = schema.find("x-classification")) {
    classify(*classification, state);
  }
  expand_members(schema, state);
  expand_alternatives(schema, state);
  expand_discriminator(schema, state);
}

void SchemaStates::classify(const DocumentValue& value, SelectorBuilder::State state) {
  const std::vector<std::string> classes = texts_of(value);
  const bool fine = !classes.empty() &&
                    (value.is_scalar() || classes.size() == value.items.size()) &&
                    std::ranges::none_of(classes, &std::string::empty);
  if (!fine) complain_(value.line, "x-classification is a class or a list of classes");
  builder_.classify(state, classes);
}

void SchemaStates::expand_members(const DocumentValue& schema, SelectorBuilder::State state) {
  if (const auto* properties = schema.find("properties")) {
    for (const auto& [name, property] : properties->members) {
      builder_.on_member(state, name, later(property));
    }
  }
  // Which names a pattern matches is not looked at: all could be.
  if (const auto* patterns = schema.find("patternProperties")) {
    for (const auto& [pattern, property] : patterns->members) {
      builder_.on(Way::any_member, state, later(property));
    }
  }
  if (const auto* others = schema.find("additionalProperties")) {
    builder_.on(Way::other_member, state, later(*others));
  }
  if (const auto* others = schema.find("unevaluatedProperties")) {
    builder_.on(Way::any_member, state, later(*others));
  }
  for (const char* keyword : {"items", "additionalItems", "unevaluatedItems", "contains"}) {
    const auto* items = schema.find(keyword);
    if (items == nullptr) continue;
    if (!items->is_list()) builder_.on(Way::element, state, later(*items));
    for (const DocumentValue& item : items->items) builder_.on(Way::element, state, later(item));
  }
  if (const auto* items = schema.find("prefixItems")) {
    for (const DocumentValue& item : items->items) builder_.on(Way::element, state, later(item));
  }
}

void SchemaStates::expand_alternatives(const DocumentValue& schema, SelectorBuilder::State state) {
  for (const char* keyword : {"allOf", "anyOf", "oneOf"}) {
    const auto* schemas = schema.find(keyword);
    if (schemas == nullptr) continue;
    for (const DocumentValue& one : schemas->items) builder_.on(Way::also, state, later(one));
  }
  for (const char* keyword : {"if", "then", "else"}) {
    if (const auto* one = schema.find(keyword)) builder_.on(Way::also, state, later(*one));
  }
  if (const auto* dependent = schema.find("dependentSchemas")) {
    for (const auto& [name, one] : dependent->members) builder_.on(Way::also, state, later(one));
  }
}

/// A schema with a discriminator stands for those that it names, or that are made of it.
void SchemaStates::expand_discriminator(const DocumentValue& schema, SelectorBuilder::State state) {
  const auto* discriminator = schema.find("discriminator");
  if (discriminator == nullptr) return;
  std::vector<const DocumentValue*> ancestors{&schema};
  for (std::size_t i = 0; i < ancestors.size(); ++i) {
    const auto [begin, end] = heirs_.equal_range(ancestors[i]);
    for (auto heir = begin; heir != end; ++heir) {
      if (std::ranges::find(ancestors, heir->second) != ancestors.end()) continue;
      ancestors.push_back(heir->second);
      builder_.on(Way::also, state, later(*heir->second));
    }
  }
  const auto* mapping = discriminator->find("mapping");
  if (mapping == nullptr) return;
  for (const auto& [value, target] : mapping->members) {
    DocumentValue reference = target;
    if (target.is_scalar() && !target.text.contains('/')) {
      reference.text = "#/components/schemas/" + target.text;
    }
    if (const auto* one = resolve(reference)) builder_.on(Way::also, state, later(*one));
  }
}

}  // namespace sallyport::content
