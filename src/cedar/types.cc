#include "cedar/types.h"

#include <algorithm>

namespace sallyport::cedar {
namespace {

bool same_names(const Type& a, const Type& b) {
  return std::ranges::equal(a.attributes, b.attributes, {}, &Attribute::name, &Attribute::name);
}

Joined join_records(const Type& a, const Type& b) {
  if (!same_names(a, b)) return {{}, Mismatch::attributes};
  Type record{.kind = Kind::record};
  for (std::size_t i = 0; i < a.attributes.size(); ++i) {
    Joined joined = join(a.attributes[i].type, b.attributes[i].type);
    if (!joined.type) return joined;
    if (a.attributes[i].required != b.attributes[i].required) return {{}, Mismatch::optionality};
    record.attributes.push_back(
        {a.attributes[i].name, std::move(*joined.type), a.attributes[i].required});
  }
  return {std::move(record), {}};
}

}  // namespace

std::string_view to_string(Mismatch why) {
  switch (why) {
    case Mismatch::none:
      return "";
    case Mismatch::kinds:
      return "";
    case Mismatch::entity_types:
      return "entities of different types cannot be mixed here";
    case Mismatch::attributes:
      return "the records do not have the same attributes";
    case Mismatch::optionality:
      return "an attribute is optional in only one of the records";
  }
  return "";
}

bool operator==(const Type& a, const Type& b) {
  if (a.kind != b.kind || a.known != b.known || a.entity_type != b.entity_type) return false;
  if (a.kind == Kind::set) return *a.element == *b.element;
  return std::ranges::equal(a.attributes, b.attributes, [](const Attribute& x, const Attribute& y) {
    return x.name == y.name && x.required == y.required && x.type == y.type;
  });
}

bool is_subtype(const Type& a, const Type& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::boolean:
      return b.known == Type::Known::any || a.known == b.known;
    case Kind::entity:
      return a.entity_type == b.entity_type;
    case Kind::set:
      return is_subtype(*a.element, *b.element);
    case Kind::record:
      return std::ranges::equal(
          a.attributes, b.attributes, [](const Attribute& x, const Attribute& y) {
            return x.name == y.name && x.required == y.required && is_subtype(x.type, y.type);
          });
    default:
      return true;
  }
}

Joined join(const Type& a, const Type& b) {
  if (is_subtype(a, b)) return {b, {}};
  if (is_subtype(b, a)) return {a, {}};
  if (a.kind != b.kind) return {{}, Mismatch::kinds};
  switch (a.kind) {
    case Kind::boolean:
      return {Type{.kind = Kind::boolean}, {}};
    case Kind::set: {
      Joined element = join(*a.element, *b.element);
      if (!element.type) return element;
      Type set{.kind = Kind::set};
      set.element = std::make_shared<const Type>(std::move(*element.type));
      return {std::move(set), {}};
    }
    case Kind::record:
      return join_records(a, b);
    default:
      return {{}, Mismatch::entity_types};
  }
}

}  // namespace sallyport::cedar
