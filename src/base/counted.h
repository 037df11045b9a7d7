#pragma once

namespace sallyport {

/// One more, for as long as it lives.
template <typename Number>
class Counted {
 public:
  explicit Counted(Number& of) : of_(of) { ++of_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --of_; }

 private:
  Number& of_;
};

}  // namespace sallyport
