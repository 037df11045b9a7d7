#include "cedar/document.h"

#include <algorithm>

namespace sallyport::cedar {
namespace {

constexpr std::uint32_t indent_step = 2;

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

DocId Document::add(Doc doc) {
  for (const DocId part : doc.parts) doc.breaks = doc.breaks || docs_[part].breaks;
  docs_.push_back(std::move(doc));
  return static_cast<DocId>(docs_.size() - 1);
}

DocId Document::text(std::string text) {
  const std::size_t width = characters(text);
  return add({.kind = Kind::text, .text = std::move(text), .width = width});
}
DocId Document::trailing_comment(std::string text) {
  return add({.kind = Kind::comment, .breaks = true, .text = std::move(text)});
}
DocId Document::hardline() {
  return add({.kind = Kind::hardline, .breaks = true});
}
DocId Document::freshline() {
  return add({.kind = Kind::freshline, .breaks = true});
}
DocId Document::concat(std::vector<DocId> parts) {
  return add({.kind = Kind::concat, .parts = std::move(parts)});
}
DocId Document::nest(DocId part) {
  return add({.kind = Kind::nest, .parts = {part}});
}
DocId Document::group(DocId part) {
  return add({.kind = Kind::group, .parts = {part}});
}

class Document::Printer {
 public:
  Printer(const Document& document, std::size_t width) : docs_(document.docs_), width_(width) {}

  std::string print(DocId whole) {
    open_.push_back({whole, 0, false});
    while (!open_.empty()) {
      const Place place = open_.back();
      open_.pop_back();
      put(place);
    }
    return std::move(out_);
  }

 private:
  void put(const Place& place) {
    const Doc& doc = docs_[place.doc];
    switch (doc.kind) {
      case Kind::text:
        if (must_break_) new_line();
        write(doc.text, doc.width, place.indent);
        return;
      case Kind::comment:
        out_ += (at_start_ ? "" : "  ") + doc.text;
        must_break_ = true;
        at_start_ = false;
        return;
      case Kind::line:
      case Kind::softline:
        if (!place.flat || must_break_) return new_line();
        if (doc.kind == Kind::line) write(" ", 1, place.indent);
        return;
      case Kind::hardline:
        return new_line();
      case Kind::freshline:
        if (!at_start_) new_line();
        return;
      case Kind::concat:
        for (std::size_t i = doc.parts.size(); i > 0; --i) {
          open_.push_back({doc.parts[i - 1], place.indent, place.flat});
        }
        return;
      case Kind::nest:
        open_.push_back({doc.parts[0], place.indent + indent_step, place.flat});
        return;
      case Kind::group: {
        const bool flat = !doc.breaks && (place.flat || fits(doc.parts[0], place.indent));
        open_.push_back({doc.parts[0], place.indent, flat});
        return;
      }
    }
  }

  void write(std::string_view text, std::size_t width, std::uint32_t indent) {
    if (at_start_) {
      out_.append(indent, ' ');
      column_ = indent;
      at_start_ = false;
    }
    out_ += text;
    column_ += width;
  }

  void new_line() {
    while (out_.ends_with(' ')) out_.pop_back();
    out_ += '\n';
    at_start_ = true;
    must_break_ = false;
    column_ = 0;
  }

  /// Whether `doc` on one line, and what follows it up to the next place to break, is within the
  /// width.
  bool fits(DocId doc, std::uint32_t indent) const {
    std::size_t used = at_start_ ? indent : column_;
    std::vector<Place> open{{doc, 0, true}};
    std::size_t rest = open_.size();
    while (used <= width_) {
      if (open.empty()) {
        if (rest == 0) return true;
        open.push_back(open_[--rest]);
      }
      const Place place = open.back();
      open.pop_back();
      const Doc& inside = docs_[place.doc];
      switch (inside.kind) {
        case Kind::text:
          used += inside.width;
          break;
        case Kind::line:
          if (!place.flat) return true;
          ++used;
          break;
        case Kind::softline:
          if (!place.flat) return true;
          break;
        case Kind::comment:
        case Kind::hardline:
        case Kind::freshline:
          return true;
        default:
          for (std::size_t i = inside.parts.size(); i > 0; --i) {
            open.push_back(
                {inside.parts[i - 1], 0,
                 inside.kind == Kind::group ? place.flat || !inside.breaks : place.flat});
          }
      }
    }
    return false;
  }

  const std::vector<Doc>& docs_;
  std::size_t width_;
  std::vector<Place> open_;
  std::string out_;
  std::size_t column_ = 0;
  bool at_start_ = true;
  bool must_break_ = false;
};

std::string Document::print(DocId whole, std::size_t width) const {
  return Printer(*this, width).print(whole);
}

}  // namespace sallyport::cedar
