#include "content/json_masker.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace sallyport::content {
namespace {

using Kind = Token::Kind;

const std::optional<mask::Mask> unmasked;
/// Names whose facts are kept; those of further ones are looked up each time.
constexpr std::size_t name_facts_max = 1024;
/// Nothing that a detector looks for is shorter.
constexpr std::size_t inspect_bytes_min = 5;

std::string_view without_quotes(std::string_view raw) {
  return raw.substr(1, raw.size() - 2);
}

}  // namespace

Plan Plan::make(std::shared_ptr<const Selector> selector, const mask::Rules& rules,
                std::span<const std::string> revealed, const MaskKey& key,
                mask::Masker* detectors) {
  Plan plan{.selector = std::move(selector), .key = key, .detectors = detectors};
  if (plan.selector == nullptr) return plan;
  for (const auto& classes : plan.selector->labels()) {
    std::vector<std::string> hidden;
    std::ranges::set_difference(classes, revealed, std::back_inserter(hidden));
    plan.masks.push_back(hidden.empty() ? unmasked : mask::mask_of(hidden, rules));
  }
  return plan;
}

bool Plan::masks_something() const {
  return std::ranges::any_of(masks, [](const auto& mask) { return mask.has_value(); });
}

void Masked::add(mask::Findings& findings) {
  for (const mask::Detector detector : findings.found) ++found[static_cast<std::size_t>(detector)];
  withheld += findings.withheld;
  findings.clear();
}

void Masked::add(const Masked& more) {
  fields += more.fields;
  withheld += more.withheld;
  for (std::size_t i = 0; i < found.size(); ++i) found[i] += more.found[i];
}

JsonMasker::JsonMasker(Plan plan, const JsonLimits& limits, bool lines)
    : plan_(std::move(plan)), limits_(limits), lexer_(limits, lines), names_(limits.members_max) {
  SALLYPORT_CHECK(plan_.selector == nullptr ||
                  plan_.masks.size() == plan_.selector->labels().size());
}

bool JsonMasker::failed(Errc code, std::string what) {
  error_ = Error(code, std::move(what));
  return false;
}

bool JsonMasker::fine(Result<void> done) {
  if (!done) error_ = std::move(done.error());
  return done.has_value();
}

Result<void> JsonMasker::feed(Bytes piece, ByteVector& out) {
  const std::size_t before = out.size();
  const std::string_view text = as_text(piece);
  const char* at = text.data();
  const char* const end = at + text.size();
  out_ = &out;
  pass_from_ = at;
  while (true) {
    const Token token = lexer_.next(at, end);
    if (token.kind == Kind::none) break;
    if (token.kind == Kind::failed) error_ = lexer_.error();
    if (token.kind == Kind::failed || !take(token)) {
      out.resize(before);
      return std::unexpected(error_);
    }
  }
  if (dropped_from_ == 0) pass_until(end);
  return ok();
}

Result<void> JsonMasker::finish(ByteVector& out) {
  auto token = lexer_.finish();
  if (!token) return fail(token);
  out_ = &out;
  pass_from_ = nullptr;
  if (!*token || take_value(**token)) return ok();
  return std::unexpected(error_);
}

void JsonMasker::pass_until(const char* end) {
  if (pass_from_ != end) append(*out_, std::string_view(pass_from_, end));
  pass_from_ = end;
}

void JsonMasker::replace(const Token& token, std::string_view text) {
  if (token.first) pass_until(token.raw.data());
  append(*out_, text);
  pass_from_ = token.raw.data() + token.raw.size();
}

/// All of a token that is complete, or empty while it is not. What is held is not passed.
std::string_view JsonMasker::hold(const Token& token) {
  if (token.first && token.last) return token.raw;
  if (token.first) {
    if (dropped_from_ == 0) pass_until(token.raw.data());
    held_.clear();
  }
  held_ += token.raw;
  pass_from_ = token.raw.data() + token.raw.size();
  return token.last ? std::string_view(held_) : std::string_view();
}

bool JsonMasker::take(const Token& token) {
  switch (token.kind) {
    case Kind::begin_object:
    case Kind::begin_array:
      begin_container(token);
      return true;
    case Kind::end_object:
    case Kind::end_array:
      end_container(token);
      return true;
    case Kind::name:
      return take_name(token);
    default:
      return take_value(token);
  }
}

Selector::Node JsonMasker::value_node() const {
  if (plan_.selector == nullptr) return Selector::nothing;
  if (frames_.empty()) return plan_.selector->root();
  const Frame& frame = frames_.back();
  return frame.object ? member_ : plan_.selector->element(frame.node);
}

const std::optional<mask::Mask>& JsonMasker::mask_at(Selector::Node node) const {
  if (node == Selector::nothing) return unmasked;
  return plan_.masks[plan_.selector->label(node)];
}

/// An object that is masked is null, for its names could be data. An array is masked element by
/// element, unless its mask is null.
void JsonMasker::begin_container(const Token& token) {
  const bool object = token.kind == Kind::begin_object;
  const Selector::Node node = value_node();
  const auto& mask = mask_at(node);
  if (dropped_from_ == 0 && mask && (object || mask->kind == mask::Kind::null)) {
    replace(token, "null");
    ++masked_.fields;
    dropped_from_ = lexer_.depth();
  }
  frames_.push_back({node, object, topics_, names_.begin_object()});
}

void JsonMasker::end_container(const Token& token) {
  if (frames_.back().object) names_.end_object(frames_.back().names);
  frames_.pop_back();
  if (frames_.empty()) {
    topics_.reset();
  } else if (!frames_.back().object) {
    topics_ = frames_.back().topics;
  }
  if (dropped_from_ == lexer_.depth() + 1) {
    dropped_from_ = 0;
    pass_from_ = token.raw.data() + token.raw.size();
  }
}

/// Whole in its piece, a name goes out with what is around it; in parts, it is held until it is
/// known not to be there twice.
bool JsonMasker::take_name(const Token& token) {
  const std::string_view raw = hold(token);
  return !token.last || end_name(token, raw);
}

bool JsonMasker::end_name(const Token& token, std::string_view raw) {
  std::string_view name = without_quotes(raw);
  if (token.escaped) {
    auto meant = unescape_name(name);
    if (!meant) return failed(Errc::malformed, "the name of a member is not a text");
    text_ = *std::move(meant);
    name = text_;
  }
  Frame& frame = frames_.back();
  const std::uint64_t hash = hash_name(name);
  switch (names_.add(frame.names, hash)) {
    case NameSet::Added::fresh:
      break;
    case NameSet::Added::duplicate:
      return failed(Errc::malformed, "an object has the same name twice");
    case NameSet::Added::too_many:
      return failed(Errc::too_large,
                    fmt::format("objects with more than {} names at once", limits_.members_max));
  }
  if (dropped_from_ != 0) return true;
  if (frame.node != Selector::nothing) {
    member_ = plan_.selector->member(frame.node, name);
  } else {
    member_ = Selector::nothing;
  }
  if (plan_.detectors != nullptr) {
    const NameFacts* const facts = facts_of(name, hash);
    if (facts == nullptr) return false;
    topics_ = facts->topics;
    if (!facts->instead.empty()) {
      replace(token, facts->instead);
      return true;
    }
  }
  if (!token.first) append(*out_, raw);
  return true;
}

const JsonMasker::NameFacts* JsonMasker::facts_of(std::string_view name, std::uint64_t hash) {
  const auto known = name_facts_.find(hash);
  if (known != name_facts_.end()) return &known->second;
  auto topics = plan_.detectors->topics_of(name);
  if (!topics) {
    error_ = std::move(topics.error());
    return nullptr;
  }
  NameFacts facts{.topics = *topics};
  std::string shown(name);
  if (!fine(plan_.detectors->whole(shown, {}, findings_))) return nullptr;
  masked_.add(findings_);
  if (shown != name) {
    ByteVector quoted;
    append_quoted(quoted, shown);
    facts.instead = as_text(quoted);
  }
  if (name_facts_.size() < name_facts_max && facts.instead.empty()) {
    return &name_facts_.emplace(hash, std::move(facts)).first->second;
  }
  last_facts_ = std::move(facts);
  return &last_facts_;
}

JsonMasker::Mode JsonMasker::begin_mode(Kind kind) {
  const auto& mask = mask_at(value_node());
  if (mask) {
    mask_ = *mask;
    const bool value_matters =
        mask->kind != mask::Kind::null && mask->kind != mask::Kind::redact && kind != Kind::literal;
    return value_matters ? Mode::mask : Mode::drop;
  }
  const bool inspect = plan_.detectors != nullptr && kind != Kind::literal;
  return inspect ? Mode::inspect : Mode::pass;
}

bool JsonMasker::take_value(const Token& token) {
  if (dropped_from_ != 0) return true;
  if (token.first) mode_ = begin_mode(token.kind);
  if (mode_ == Mode::pass) return true;
  if (mode_ == Mode::stream) {
    pass_from_ = token.raw.data() + token.raw.size();
    return stream_part(token.raw, token.last);
  }
  const std::size_t size = token.raw.size() + (token.first ? 0 : held_.size());
  const bool too_long = size > limits_.held_bytes_max && token.kind == Kind::string;
  if (too_long && mode_ == Mode::mask) {
    // Equal values of which only some are hashed would tell more than none.
    mask_.kind = std::max(mask_.kind, mask::Kind::redact);
    mode_ = Mode::drop;
  }
  if (mode_ == Mode::drop) {
    if (token.last) return end_value(token, {});
    if (token.first) pass_until(token.raw.data());
    pass_from_ = token.raw.data() + token.raw.size();
    return true;
  }
  if (too_long) {
    if (token.first) held_.clear();
    replace(token, "");
    return begin_stream() && stream_part(token.raw, token.last);
  }
  const std::string_view raw = hold(token);
  return !token.last || end_value(token, raw);
}

bool JsonMasker::end_value(const Token& token, std::string_view raw) {
  if (mode_ == Mode::inspect) return end_inspected(token, raw);
  end_masked(token, raw);
  return true;
}

void JsonMasker::end_masked(const Token& token, std::string_view raw) {
  ++masked_.fields;
  replace(token, "");
  if (token.kind == Kind::literal) return append(*out_, "null");
  if (token.kind == Kind::number) {
    return append_masked(*out_, Scalar::number, raw, mask_, plan_.key);
  }
  if (!raw.empty()) {
    raw = without_quotes(raw);
    if (token.escaped) {
      text_.clear();
      unescaper_ = Unescaper();
      unescaper_.feed(raw, text_);
      unescaper_.finish(text_);
      raw = text_;
    }
  }
  append_masked(*out_, Scalar::text, raw, mask_, plan_.key);
}

/// What nothing was found in goes out as it came.
bool JsonMasker::end_inspected(const Token& token, std::string_view raw) {
  const bool number = token.kind == Kind::number;
  bool found = false;
  if (raw.size() >= inspect_bytes_min + (number ? 0 : 2)) {
    text_.clear();
    if (token.escaped) {
      unescaper_ = Unescaper();
      unescaper_.feed(without_quotes(raw), text_);
      unescaper_.finish(text_);
    } else {
      text_ = number ? raw : without_quotes(raw);
    }
    if (!fine(plan_.detectors->whole(text_, topics_, findings_))) return false;
    found = !findings_.empty();
    if (found) masked_.add(findings_);
  }
  if (!found || plan_.detectors->mode() != mask::Mode::mask) {
    if (!token.first) append(*out_, raw);
  } else if (number) {
    replace(token, "null");
  } else {
    replace(token, "");
    append_quoted(*out_, text_);
  }
  return true;
}

/// What was held so far is the beginning of a text that is looked through in windows.
bool JsonMasker::begin_stream() {
  mode_ = Mode::stream;
  stream_begun_ = false;
  unescaper_ = Unescaper();
  stream_.begin(topics_);
  append(*out_, "\"");
  if (held_.empty()) return true;
  const std::string raw = std::move(held_);
  held_.clear();
  return stream_part(raw, false);
}

bool JsonMasker::stream_part(std::string_view raw, bool last) {
  if (!stream_begun_ && !raw.empty()) {
    raw.remove_prefix(1);
    stream_begun_ = true;
  }
  if (last) raw.remove_suffix(1);
  text_.clear();
  unescaper_.feed(raw, text_);
  if (last) unescaper_.finish(text_);
  ByteVector released;
  if (!fine(stream_.feed(*plan_.detectors, text_, last, released, findings_))) return false;
  masked_.add(findings_);
  append_escaped(*out_, as_text(released));
  if (last) append(*out_, "\"");
  return true;
}

}  // namespace sallyport::content
