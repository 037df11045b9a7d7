#pragma once
// What a client hears of the server's errors and notices when something is masked or filtered for
// it: those of the server's own that name only what the statement itself names, and of all others
// the SQLSTATE and our words. Values of rows are in the details of errors, and in what functions
// raise.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport::postgres {

using ErrorFields = std::vector<std::pair<char, std::string_view>>;

/// The same fields, with what may not be told left out or said in other words.
std::vector<std::pair<char, std::string>> told_error(const ErrorFields& fields, bool writes);

/// nullopt: it is not passed on.
std::optional<std::vector<std::pair<char, std::string>>> told_notice(const ErrorFields& fields);

}  // namespace sallyport::postgres
