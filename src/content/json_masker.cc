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
    : plan_(std::move(plan)),
      limits_(limits),
      active_(!plan_.idle()),
      lexer_(limits, lines),
      names_(limits.members_max) {
  SALLYPORT_CHECK(plan_.selector == nullptr ||
                  plan_.masks.size() == plan_.selector->labels().size());
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
    auto done =
        token.kind == Kind::failed ? Result<void>(std::unexpected(lexer_.error())) : take(token);
    if (!done) {
      out.resize(before);
      return done;
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
  if (!*token) return ok();
  return take_value(**token);
}

void JsonMasker::pass_until(const char* end) {
  if (pass_from_ != end) append(*out_, std::string_view(pass_from_, end));
  pass_from_ = end;
}

Result<void> JsonMasker::take(const Token& token) {
  switch (token.kind) {
    case Kind::begin_object:
    case Kind::begin_array:
      begin_container(token);
      return ok();
    case Kind::end_object:
    case Kind::end_array:
      end_container(token);
      return ok();
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
    pass_until(token.raw.data());
    append(*out_, "null");
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
    skip_until(token.raw.data() + token.raw.size());
  }
}

/// All of a token that is complete, or empty while it is not.
std::string_view JsonMasker::hold(const Token& token) {
  if (token.first && token.last) return token.raw;
  if (token.first) held_.clear();
  held_ += token.raw;
  return token.last ? std::string_view(held_) : std::string_view();
}

Result<void> JsonMasker::take_name(const Token& token) {
  if (dropped_from_ == 0 && token.first) pass_until(token.raw.data());
  skip_until(token.raw.data() + token.raw.size());
  const std::string_view raw = hold(token);
  return token.last ? end_name(raw, token.escaped) : ok();
}

Result<void> JsonMasker::end_name(std::string_view raw, bool escaped) {
  std::string_view name = without_quotes(raw);
  if (escaped) {
    auto meant = unescape_name(name);
    if (!meant) return fail(Errc::malformed, "the name of a member is not a text");
    text_ = *std::move(meant);
    name = text_;
  }
  Frame& frame = frames_.back();
  const std::uint64_t hash = hash_name(name);
  switch (names_.add(frame.names, hash)) {
    case NameSet::Added::fresh:
      break;
    case NameSet::Added::duplicate:
      return fail(Errc::malformed, "an object has the same name twice");
    case NameSet::Added::too_many:
      return fail(Errc::too_large,
                  fmt::format("objects with more than {} names at once", limits_.members_max));
  }
  if (dropped_from_ != 0) return ok();
  if (plan_.selector != nullptr) member_ = plan_.selector->member(frame.node, name);
  if (plan_.detectors != nullptr) {
    auto facts = facts_of(name, hash);
    if (!facts) return fail(facts);
    topics_ = (*facts)->topics;
    if (!(*facts)->instead.empty()) raw = (*facts)->instead;
  }
  append(*out_, raw);
  return ok();
}

Result<const JsonMasker::NameFacts*> JsonMasker::facts_of(std::string_view name,
                                                          std::uint64_t hash) {
  const auto known = name_facts_.find(hash);
  if (known != name_facts_.end()) return &known->second;
  auto topics = plan_.detectors->topics_of(name);
  if (!topics) return fail(topics);
  NameFacts facts{.topics = *topics};
  std::string shown(name);
  if (auto done = plan_.detectors->whole(shown, {}, findings_); !done) return fail(done);
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
  mask_ = mask_at(value_node());
  if (mask_) {
    const bool value_matters = mask_->kind != mask::Kind::null &&
                               mask_->kind != mask::Kind::redact && kind != Kind::literal;
    return value_matters ? Mode::mask : Mode::drop;
  }
  const bool inspect = plan_.detectors != nullptr && kind != Kind::literal;
  return inspect ? Mode::inspect : Mode::pass;
}

Result<void> JsonMasker::take_value(const Token& token) {
  if (dropped_from_ != 0) return ok();
  if (token.first) {
    mode_ = active_ ? begin_mode(token.kind) : Mode::pass;
    held_too_long_ = false;
    if (mode_ != Mode::pass) pass_until(token.raw.data());
  }
  if (mode_ == Mode::pass) return ok();
  skip_until(token.raw.data() + token.raw.size());
  if (mode_ == Mode::stream) return stream_part(token.raw, token.last);
  if (mode_ == Mode::drop) return token.last ? end_value(token, {}) : ok();

  const bool complete = token.first && token.last;
  const std::size_t size = token.raw.size() + (token.first ? 0 : held_.size());
  if (size > limits_.held_bytes_max) {
    if (mode_ == Mode::mask) {
      mode_ = Mode::drop;
      held_too_long_ = true;
      return token.last ? end_value(token, {}) : ok();
    }
    if (token.first) held_.clear();
    if (auto done = begin_stream(); !done) return done;
    return stream_part(token.raw, token.last);
  }
  const std::string_view raw = complete ? token.raw : hold(token);
  return token.last ? end_value(token, raw) : ok();
}

Result<void> JsonMasker::end_value(const Token& token, std::string_view raw) {
  if (mode_ == Mode::inspect) {
    return token.kind == Kind::number ? inspect_number(raw) : inspect_text(raw, token.escaped);
  }
  ++masked_.fields;
  if (token.kind == Kind::literal) {
    append(*out_, "null");
    return ok();
  }
  mask::Mask mask = *mask_;
  // Equal values of which only some are hashed would tell more than none.
  if (held_too_long_ && mask.kind != mask::Kind::null) mask.kind = mask::Kind::redact;
  const bool number = token.kind == Kind::number;
  if (!number && !raw.empty()) {
    raw = without_quotes(raw);
    if (token.escaped) {
      text_.clear();
      unescaper_ = Unescaper();
      unescaper_.feed(raw, text_);
      unescaper_.finish(text_);
      raw = text_;
    }
  }
  append_masked(*out_, number ? Scalar::number : Scalar::text, raw, mask, plan_.key);
  return ok();
}

Result<void> JsonMasker::inspect_number(std::string_view raw) {
  if (raw.size() < inspect_bytes_min) {
    append(*out_, raw);
    return ok();
  }
  text_ = raw;
  if (auto done = plan_.detectors->whole(text_, topics_, findings_); !done) return done;
  append(*out_, text_ == raw ? raw : std::string_view("null"));
  if (!findings_.empty()) masked_.add(findings_);
  return ok();
}

Result<void> JsonMasker::inspect_text(std::string_view raw, bool escaped) {
  if (raw.size() < inspect_bytes_min + 2) {
    append(*out_, raw);
    return ok();
  }
  text_.clear();
  if (escaped) {
    unescaper_ = Unescaper();
    unescaper_.feed(without_quotes(raw), text_);
    unescaper_.finish(text_);
  } else {
    text_ = without_quotes(raw);
  }
  if (auto done = plan_.detectors->whole(text_, topics_, findings_); !done) return done;
  if (findings_.empty()) {
    append(*out_, raw);
    return ok();
  }
  masked_.add(findings_);
  if (plan_.detectors->mode() != mask::Mode::mask) {
    append(*out_, raw);
  } else {
    append_quoted(*out_, text_);
  }
  return ok();
}

/// What was held so far is the beginning of a text that is looked through in windows.
Result<void> JsonMasker::begin_stream() {
  mode_ = Mode::stream;
  stream_begun_ = false;
  unescaper_ = Unescaper();
  stream_.begin(topics_);
  append(*out_, "\"");
  if (held_.empty()) return ok();
  const std::string raw = std::move(held_);
  held_.clear();
  return stream_part(raw, false);
}

Result<void> JsonMasker::stream_part(std::string_view raw, bool last) {
  if (!stream_begun_ && !raw.empty()) {
    raw.remove_prefix(1);
    stream_begun_ = true;
  }
  if (last) raw.remove_suffix(1);
  text_.clear();
  unescaper_.feed(raw, text_);
  if (last) unescaper_.finish(text_);
  ByteVector released;
  if (auto done = stream_.feed(*plan_.detectors, text_, last, released, findings_); !done) {
    return done;
  }
  masked_.add(findings_);
  append_escaped(*out_, as_text(released));
  if (last) append(*out_, "\"");
  return ok();
}

}  // namespace sallyport::content
