#pragma once
// Values in PostgreSQL's binary format, for people to read: those of an approval.

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace sallyport::postgres {

/// nullopt: a type that is not known here, or a value that is none of it. `type` is its OID; 0 is
/// one that nobody has said.
std::optional<std::string> readable(std::uint32_t type, Bytes value);

}  // namespace sallyport::postgres
