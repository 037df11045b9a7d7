#pragma once
// The words that detectors anchor on, matched by vectorscan: the fixed beginnings of secrets, and
// the words that say what a number beside them is.

#include <bitset>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mask/detector.h"

struct hs_database;
struct hs_scratch;

namespace sallyport::mask {

/// What the words around a number, or the name of its column, say that it is.
enum class Topic : std::uint8_t {
  ssn,
  itin,
  ein,
  npi,
  dea,
  medicare,
  passport,
  license,
  birth,
  phone,
  bic,
  routing,
  imei,
  vin,
  nhs,
  tax,
  national,
  aws,
  card,
};
using Topics = std::bitset<32>;
inline Topics topics() {
  return {};
}
template <class... More>
Topics topics(Topic first, More... more) {
  return topics(more...).set(static_cast<std::size_t>(first));
}

/// How a secret goes on after its fixed beginning.
enum class Follow : std::uint8_t {
  characters,  // so many of a class
  jwt,
  private_key,
  assignment,  // "= value"
  basic,
  slack_hook,
  discord_hook,
  azure_key,
  azure_secret,
  aws_secret,
  mailchimp,
  sendgrid,
  sas,
};
struct Secret {
  Detector detector;
  std::string_view literal;
  Follow follow = Follow::characters;
  std::string_view characters = "w";  // a class: w [A-Za-z0-9], - [w_-], U [A-Z0-9], h [a-f0-9],
                                      // b base64, . [w_.~=-]
  std::uint16_t min = 0;
  std::uint16_t max = 0;
  bool any_case = false;
};
std::span<const Secret> secrets();

struct TopicWord {
  Topic topic;
  std::string_view word;  // lower case
};
std::span<const TopicWord> topic_words();

/// The compiled words; immutable, shared by all threads.
class Patterns {
 public:
  static Result<std::shared_ptr<const Patterns>> make();
  ~Patterns();
  Patterns(const Patterns&) = delete;
  Patterns& operator=(const Patterns&) = delete;

 private:
  friend class Matcher;
  Patterns() = default;
  hs_database* secrets_ = nullptr;
  hs_database* topics_ = nullptr;
};

struct Match {
  std::uint16_t id = 0;   // into secrets() or topic_words()
  std::uint32_t end = 0;  // one past the word
};

/// Finds them in a text. One thread at a time.
class Matcher {
 public:
  static Result<Matcher> make(std::shared_ptr<const Patterns> patterns);
  ~Matcher();
  Matcher(Matcher&&) noexcept;
  Matcher& operator=(Matcher&&) = delete;

  /// Appends to `matches`, in the order of their ends. Fails when there are more than `most`, or
  /// when vectorscan does.
  Result<void> secrets(std::string_view text, std::size_t most, std::vector<Match>& matches);
  Result<void> topics(std::string_view text, std::size_t most, std::vector<Match>& matches);

 private:
  explicit Matcher(std::shared_ptr<const Patterns> patterns) : patterns_(std::move(patterns)) {}
  Result<void> scan(const hs_database* database, std::string_view text, std::size_t most,
                    std::vector<Match>& matches);

  std::shared_ptr<const Patterns> patterns_;
  hs_scratch* scratch_ = nullptr;
};

}  // namespace sallyport::mask
