#pragma once
// A text that may be broken into lines in more than one way, and the printer that chooses: each
// group stays on one line if it fits. Inside of this room only.

#include <cstdint>
#include <string>
#include <vector>

namespace sallyport::cedar {

using DocId = std::uint32_t;

class Document {
 public:
  DocId text(std::string text);
  /// A comment behind something: what follows starts a new line.
  DocId trailing_comment(std::string text);
  DocId line() { return add({.kind = Kind::line}); }          // a space, or a new line
  DocId softline() { return add({.kind = Kind::softline}); }  // nothing, or a new line
  DocId hardline();                                           // always a new line
  DocId freshline();  // a new line, unless at the start of one
  DocId concat(std::vector<DocId> parts);
  DocId nest(DocId part);
  /// Broken at all its lines, or at none.
  DocId group(DocId part);

  std::string print(DocId whole, std::size_t width) const;

 private:
  enum class Kind : std::uint8_t {
    text,
    comment,
    line,
    softline,
    hardline,
    freshline,
    concat,
    nest,
    group
  };
  struct Doc {
    Kind kind = Kind::text;
    bool breaks = false;  // holds what cannot be on one line
    std::string text;
    std::size_t width = 0;  // of the text, in characters
    std::vector<DocId> parts;
  };
  struct Place {
    DocId doc = 0;
    std::uint32_t indent = 0;
    bool flat = false;
  };
  class Printer;

  DocId add(Doc doc);

  std::vector<Doc> docs_;
};

}  // namespace sallyport::cedar
