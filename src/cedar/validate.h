#pragma once
// The strict validator: whether a set of policies makes sense under a schema. A set without errors
// cannot fail while it is evaluated on a request and entities that conform to the schema, but for
// an overflow and an entity that does not exist. Its judgement is the language's own (4.5); see
// docs/reference/cedar.md for the differences.

#include <cstddef>
#include <string>
#include <vector>

#include "cedar/authorize.h"
#include "cedar/schema.h"

namespace sallyport::cedar {

constexpr std::size_t findings_max = 1'000;  // of a set; what is more is left out

/// One thing that is wrong, or looks so.
struct Finding {
  enum class Kind : std::uint8_t {
    name,          // of an entity type, an action, an enum's entity: the schema has no such
    type,          // an expression that cannot be evaluated, or is always the same
    inapplicable,  // no action of the head is for such a principal and such a resource
    impossible,    // the conditions exclude each other
    misleading,    // a text that does not read as it is
    unlinked,      // a template without a link: it decides nothing
    annotation,    // not of this room: of who reads them
  };
  Kind kind = Kind::type;
  std::string policy;  // its id
  std::string file;
  Position at;
  std::string message;
  std::string hint;
  std::string excerpt;  // the line, with the place underlined

  /// "file:line:column: policy "id": message", the excerpt and the hint, each on lines of its own.
  std::string to_string() const;
};

struct Validation {
  std::vector<Finding> errors;
  std::vector<Finding> warnings;  // policies that can never apply, texts that fool the eye

  bool ok() const { return errors.empty(); }
};

/// A finding about `at` of a policy's source, or about all of it where `at` is empty.
Finding finding(const PolicySet& set, const Policy& policy, Finding::Kind kind, Span at,
                std::string message, std::string hint = {});

Validation validate(const PolicySet& set, const Schema& schema);

}  // namespace sallyport::cedar
