#include "cedar/format.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cedar/document.h"
#include "cedar/parser.h"

namespace sallyport::cedar {
namespace {

struct Comment {
  std::string text;
  bool blank_before = false;  // an empty line is between it and what is above
};

/// A token, with the comments that belong to it.
struct Word {
  Token token;
  std::string text;  // as written, with its quotes
  std::vector<Comment> above;
  std::optional<std::string> behind;
  bool blank_before = false;

  bool is(std::string_view symbol) const { return token.is(symbol); }
  bool is_word(std::string_view word) const { return token.is_word(word); }
};

std::string trimmed(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \t\r\v\f");
  return std::string(text.substr(0, end == std::string_view::npos ? 0 : end + 1));
}

/// What is between two tokens: white space and comments.
void read_gap(std::string_view gap, Word* before, Word& after) {
  int lines = before == nullptr ? 1 : 0;  // new lines since the last word or comment
  for (std::size_t at = 0; at < gap.size(); ++at) {
    if (gap[at] == '\n') {
      ++lines;
    } else if (gap.substr(at).starts_with("//")) {
      const std::size_t end = std::min(gap.find('\n', at), gap.size());
      std::string comment = trimmed(gap.substr(at, end - at));
      if (lines == 0 && before != nullptr && !before->behind) {
        before->behind = std::move(comment);
      } else {
        after.above.push_back({std::move(comment), lines > 1});
      }
      lines = 0;
      at = end - 1;
    }
  }
  after.blank_before = lines > 1;
}

std::vector<Word> words_of(std::string_view text, const std::vector<Token>& tokens) {
  std::vector<Word> words(tokens.size());
  std::size_t read = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    words[i].token = token;
    words[i].text = text.substr(token.offset, token.end() - token.offset);
    read_gap(text.substr(read, token.offset - read), i == 0 ? nullptr : &words[i - 1], words[i]);
    read = token.end();
  }
  return words;
}

/// Lays out words that are known to be policies: it looks at the grammar only to find where lines
/// may break.
class Layout {
 public:
  explicit Layout(std::vector<Word> words) : words_(std::move(words)) {}

  std::string format() {
    std::vector<DocId> parts;
    while (peek().token.kind != Token::Kind::end) {
      if (!parts.empty()) parts.push_back(doc_.hardline());
      parts.push_back(policy());
      parts.push_back(doc_.freshline());
    }
    last_comments(parts);
    std::string text = doc_.print(doc_.concat(std::move(parts)), line_width);
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    return text;
  }

 private:
  const Word& peek(std::size_t ahead = 0) const {
    return words_[std::min(at_ + ahead, words_.size() - 1)];
  }

  /// The next word, with its comments; after it, `then`.
  DocId take(std::string_view then = "") {
    const Word& word = words_[at_];
    if (at_ + 1 < words_.size()) ++at_;
    std::vector<DocId> parts;
    for (const Comment& comment : word.above) {
      parts.push_back(doc_.freshline());
      parts.push_back(doc_.text(comment.text));
      parts.push_back(doc_.hardline());
    }
    parts.push_back(doc_.text(word.text));
    if (word.behind) {
      parts.push_back(doc_.trailing_comment(*word.behind));
    } else if (!then.empty()) {
      parts.push_back(doc_.text(std::string(then)));
    }
    return parts.size() == 1 ? parts[0] : doc_.concat(std::move(parts));
  }
  bool at(std::string_view symbol) const { return peek().is(symbol); }
  bool at_word(std::string_view word) const { return peek().is_word(word); }
  bool at_end() const { return peek().token.kind == Token::Kind::end; }

  /// The comments above a policy keep the empty lines between them.
  void comments_above(std::vector<DocId>& parts) {
    Word& word = words_[at_];
    for (std::size_t i = 0; i < word.above.size(); ++i) {
      if (word.above[i].blank_before && i > 0) parts.push_back(doc_.hardline());
      parts.push_back(doc_.text(word.above[i].text));
      parts.push_back(doc_.hardline());
    }
    if (word.blank_before && !word.above.empty()) parts.push_back(doc_.hardline());
    word.above.clear();
  }

  void last_comments(std::vector<DocId>& parts) {
    Word& end = words_[at_];
    for (std::size_t i = 0; i < end.above.size(); ++i) {
      if (end.above[i].blank_before && (i > 0 || !parts.empty())) parts.push_back(doc_.hardline());
      parts.push_back(doc_.text(end.above[i].text));
      parts.push_back(doc_.hardline());
    }
  }

  DocId policy() {
    std::vector<DocId> parts;
    comments_above(parts);
    while (at("@")) {
      parts.push_back(take());
      parts.push_back(take());
      if (at("(")) {
        parts.push_back(take());
        parts.push_back(take());
        parts.push_back(take());
      }
      parts.push_back(doc_.freshline());
    }
    parts.push_back(head());
    while (at_word("when") || at_word("unless")) {
      parts.push_back(doc_.freshline());
      parts.push_back(clause());
    }
    parts.push_back(take());  // ;
    return doc_.concat(std::move(parts));
  }

  DocId head() {
    std::vector<DocId> parts{take(" "), take()};
    std::vector<DocId> inside{doc_.softline()};
    while (!at(")") && !at_end()) {
      inside.push_back(expression());
      if (!at(",")) break;
      inside.push_back(take());
      if (!at(")")) inside.push_back(doc_.line());
    }
    parts.push_back(doc_.nest(doc_.concat(std::move(inside))));
    parts.push_back(doc_.softline());
    parts.push_back(take());
    return doc_.group(doc_.concat(std::move(parts)));
  }

  DocId clause() {
    std::vector<DocId> parts{take(" "), take()};
    const DocId body = expression();
    parts.push_back(doc_.nest(doc_.concat({doc_.line(), body})));
    parts.push_back(doc_.line());
    parts.push_back(take());
    return doc_.group(doc_.concat(std::move(parts)));
  }

  // ---- expressions ----

  DocId expression() {
    if (!at_word("if")) return disjunction();
    std::vector<DocId> parts;
    for (const std::string_view word : {"if", "then", "else"}) {
      if (word != "if") parts.push_back(doc_.line());
      parts.push_back(take(" "));
      parts.push_back(doc_.nest(expression()));
    }
    return doc_.group(doc_.concat(std::move(parts)));
  }

  /// a && b && c: the first, and what follows it.
  struct Chain {
    DocId first = 0;
    std::optional<DocId> further;
  };

  template <class Item>
  Chain chain(std::string_view symbol, Item item) {
    Chain made{item(), {}};
    std::vector<DocId> rest;
    while (at(symbol)) {
      rest.push_back(doc_.text(" "));
      rest.push_back(take());
      rest.push_back(doc_.line());
      rest.push_back(item());
    }
    if (!rest.empty()) made.further = doc_.concat(std::move(rest));
    return made;
  }

  DocId whole(const Chain& chain, bool set_in) {
    if (!chain.further) return chain.first;
    return doc_.group(
        doc_.concat({chain.first, set_in ? doc_.nest(*chain.further) : *chain.further}));
  }

  /// The further lines of an && are set in where it is part of an ||.
  DocId disjunction() {
    const Chain first = chain("&&", [&] { return relation(); });
    if (!at("||")) return whole(first, false);
    bool is_first = true;
    const auto item = [&] {
      if (std::exchange(is_first, false)) return whole(first, true);
      return whole(chain("&&", [&] { return relation(); }), true);
    };
    return whole(chain("||", item), false);
  }

  /// Brackets are not put on a line of their own.
  DocId operand_behind(DocId operation, DocId (Layout::*operand)()) {
    const bool opens = at("[") || at("{");
    const DocId value = (this->*operand)();
    return opens ? doc_.concat({operation, doc_.text(" "), value})
                 : doc_.concat({operation, doc_.nest(doc_.concat({doc_.line(), value}))});
  }

  DocId relation() {
    DocId left = sum();
    for (;;) {
      const Word& word = peek();
      const bool is_symbol = word.is("==") || word.is("!=") || word.is("<") || word.is("<=") ||
                             word.is(">") || word.is(">=");
      const bool is_named =
          word.is_word("in") || word.is_word("has") || word.is_word("like") || word.is_word("is");
      if (!is_symbol && !is_named) return left;
      const DocId operation = doc_.concat({left, doc_.text(" "), take()});
      left = doc_.group(operand_behind(operation, &Layout::sum));
    }
  }

  DocId sum() { return arithmetic("+", "-", &Layout::product); }
  DocId product() { return arithmetic("*", "*", &Layout::unary); }

  DocId arithmetic(std::string_view one, std::string_view other, DocId (Layout::*operand)()) {
    DocId left = (this->*operand)();
    while (at(one) || at(other)) {
      const DocId operation = doc_.concat({left, doc_.text(" "), take()});
      left = doc_.group(operand_behind(operation, operand));
    }
    return left;
  }

  DocId unary() {
    std::vector<DocId> parts;
    while (at("!") || at("-")) parts.push_back(take());
    parts.push_back(member());
    return doc_.concat(std::move(parts));
  }

  DocId member() {
    std::vector<DocId> parts{primary()};
    for (;;) {
      if (at(".")) {
        parts.push_back(take());
        parts.push_back(take());
      } else if (at("[")) {
        parts.push_back(take());
        parts.push_back(take());
        parts.push_back(take());
      } else if (at("(")) {
        parts.push_back(list(")"));
      } else {
        return doc_.concat(std::move(parts));
      }
    }
  }

  DocId primary() {
    if (at("(")) return parentheses();
    if (at("[")) return list("]");
    if (at("{")) return list("}");
    if (at("?")) return doc_.concat({take(), take()});
    std::vector<DocId> parts{take()};
    while (at("::")) {
      parts.push_back(take());
      parts.push_back(take());
    }
    return doc_.concat(std::move(parts));
  }

  DocId parentheses() {
    const DocId open = take();
    const DocId inside = doc_.nest(doc_.concat({doc_.softline(), expression()}));
    return doc_.group(doc_.concat({open, inside, doc_.softline(), take()}));
  }

  /// Elements of a set, entries of a record, arguments of a call.
  DocId list(std::string_view close) {
    const DocId open = take();
    if (at(close)) return doc_.concat({open, take()});
    const bool hugs = close == ")" && (at("[") || at("{"));
    std::vector<DocId> items;
    while (!at(close) && !at_end()) {
      items.push_back(entry(close == "}"));
      if (!at(",")) break;
      items.push_back(take());
      if (!at(close)) items.push_back(doc_.line());
    }
    const DocId all = doc_.concat(std::move(items));
    if (hugs) return doc_.concat({open, all, take()});
    const DocId inside = doc_.nest(doc_.concat({doc_.softline(), all}));
    return doc_.group(doc_.concat({open, inside, doc_.softline(), take()}));
  }

  DocId entry(bool of_record) {
    if (!of_record) return expression();
    const DocId key = take();
    return doc_.concat({key, take(" "), expression()});
  }

  std::vector<Word> words_;
  std::size_t at_ = 0;
  Document doc_;
};

/// Whether both texts have the same words and the same comments in the same order.
bool same_content(std::string_view a, std::string_view b) {
  const auto content = [](std::string_view text) {
    std::vector<std::string> all;
    const auto tokens = lex(text);
    if (!tokens) return all;
    for (const Word& word : words_of(text, *tokens)) {
      for (const Comment& comment : word.above) all.push_back(comment.text);
      all.push_back(word.text);
      if (word.behind) all.push_back(*word.behind);
    }
    return all;
  };
  return content(a) == content(b);
}

}  // namespace

Result<std::string> format_policies(std::string_view file, std::string_view text) {
  Program program;
  std::vector<Policy> policies;
  auto parsed = parse_policies(file, text, Ids::by_position, program, policies);
  if (!parsed) return fail(parsed);
  const auto tokens = lex(text);
  std::string formatted = Layout(words_of(text, *tokens)).format();
  // Whatever a mistake in here would do, it does not do it to a policy.
  if (!same_content(text, formatted)) {
    return fail(Errc::invalid, fmt::format("{}: cannot be formatted without changing it", file));
  }
  return formatted;
}

}  // namespace sallyport::cedar
