#pragma once
// Telephone numbers by the international numbering plan (ITU-T E.164): which calling codes there
// are, and how long the numbers behind them can be.

#include <string_view>

namespace sallyport::mask {

/// All digits that follow the "+": a calling code and as many digits as its numbers can have.
bool phone_international(std::string_view digits);
/// Ten digits of the North American plan: area code and exchange as they can be.
bool phone_north_american(std::string_view digits);

}  // namespace sallyport::mask
