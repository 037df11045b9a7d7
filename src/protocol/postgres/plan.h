#pragma once
// What an approver may know of a plan: how many rows it is about, and of which tables. Nothing of
// the conditions in it, for those have values.

#include <string>
#include <string_view>

#include "base/result.h"

namespace sallyport::postgres {

constexpr std::size_t plan_bytes_max = 1 << 20;

/// Of EXPLAIN (FORMAT JSON): "about 1000 rows: Delete on orders, Seq Scan on orders".
Result<std::string> plan_summary(std::string_view json);

}  // namespace sallyport::postgres
