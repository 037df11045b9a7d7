#pragma once
// Policies, templates and links as JSON: the form that other tools exchange, read and written.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cedar/authorize.h"
#include "cedar/program.h"

namespace sallyport::cedar {

/// Adds what a JSON text has to `policies` and `links`. It is one policy, which gets the id
/// policyN by its place, or a set: {"staticPolicies": {id: policy}, "templates": {id: policy},
/// "templateLinks": [{"templateId", "newId", "values"}]}. Errors say the path in the document.
Result<void> read_policies_json(std::string_view file, std::string_view json, Program& program,
                                std::vector<Policy>& policies, std::vector<TemplateLink>& links);

/// One policy or template as JSON.
std::string to_json(const Policy& policy, const Program& program);
/// A whole set, with templates and links.
std::string to_json(const PolicySet& set);

/// One policy or template as text, on one line but for its annotations.
std::string to_text(const Policy& policy, const Program& program);

}  // namespace sallyport::cedar
