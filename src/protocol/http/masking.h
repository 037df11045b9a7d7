#pragma once
// Which of an answer's values are masked for whom: decided before the request is sent, done when
// the answer comes. Inside of this room only.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "content/body_masker.h"
#include "guard/guard.h"
#include "http/response_decoder.h"
#include "protocol/http/routing.h"

namespace sallyport::web {

/// For one request. Null `operation` where the connection has no OpenAPI document.
struct Masks {
  const content::Operation* operation = nullptr;
  std::vector<std::string> revealed;  // classes, sorted
};

/// Asks the policies which classes the whole chain may `http:reveal`, and says in the command which
/// are masked. Fails with what the client may read where the document does not describe it.
Result<Masks> masks_of(const Guard& guard, const Session& session, const Route& route,
                       policy::DecisionCache* cache, Command& command);

/// The request asks the target whether a guess of what an answer was is right, by its entity tag.
bool asks_for_sameness(const http::Request& request);

/// Hides what the detectors find in the fields of an answer: in place, or the field goes as a whole
/// where that cannot be, as for what stands behind percent escapes.
void mask_fields(http::Headers& fields, mask::Masker& detectors, content::Masked& masked);

/// How the answer with this head is masked; nullopt where it goes by as it comes. Fails (denied)
/// where it would have to be masked and cannot be.
Result<std::optional<content::BodyMasker>> masker_of(const Masking& masking, const Masks& masks,
                                                     const http::ResponseHead& head,
                                                     mask::Masker* detectors);

}  // namespace sallyport::web
