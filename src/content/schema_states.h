#pragma once
// Schemas of an OpenAPI document as states of a SelectorBuilder: what of a value that follows a
// schema has an x-classification. Where a schema leaves open which of several holds, all do.
// Schemas that refer to themselves are states that lead to themselves.

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "content/document.h"
#include "content/selector.h"

namespace sallyport::content {

class SchemaStates {
 public:
  using Complain = std::function<void(std::size_t line, std::string what)>;
  SchemaStates(const DocumentValue& document, SelectorBuilder& builder, Complain complain);

  /// Of this schema, which is in the document.
  SelectorBuilder::State state_of(const DocumentValue& schema);

  /// What "#/components/schemas/Customer" stands for; null, and a complaint, if there is no such
  /// thing or it is elsewhere.
  const DocumentValue* resolve(const DocumentValue& reference);
  /// The value itself, or what its $ref says, through any number of them up to a limit.
  const DocumentValue* follow(const DocumentValue& value);

 private:
  void expand(const DocumentValue& schema, SelectorBuilder::State state);
  void expand_members(const DocumentValue& schema, SelectorBuilder::State state);
  void expand_alternatives(const DocumentValue& schema, SelectorBuilder::State state);
  void expand_discriminator(const DocumentValue& schema, SelectorBuilder::State state);
  void classify(const DocumentValue& value, SelectorBuilder::State state);
  SelectorBuilder::State later(const DocumentValue& schema);

  const DocumentValue& document_;
  SelectorBuilder& builder_;
  Complain complain_;
  std::map<const DocumentValue*, SelectorBuilder::State> known_;
  std::deque<const DocumentValue*> waiting_;
  /// Schemas that are `allOf` another one, by that one.
  std::multimap<const DocumentValue*, const DocumentValue*> heirs_;
};

/// A list of texts, or one text.
std::vector<std::string> texts_of(const DocumentValue& value);

}  // namespace sallyport::content
