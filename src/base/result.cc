#include "base/result.h"

namespace sallyport {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::closed:
      return "closed";
    case Errc::timeout:
      return "timeout";
    case Errc::malformed:
      return "malformed";
    case Errc::too_large:
      return "too_large";
    case Errc::unavailable:
      return "unavailable";
    case Errc::invalid:
      return "invalid";
    case Errc::denied:
      return "denied";
    case Errc::io:
      return "io";
  }
  return "unknown";
}

}  // namespace sallyport
