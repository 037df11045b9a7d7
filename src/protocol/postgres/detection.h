#pragma once
// Detection: the third line of defence on PostgreSQL's wire. What a server sends goes through the
// detectors (mask/masker.h) before it goes to the client: the fields of rows, copy data, and the
// texts of errors, notices and notifications. Nothing changes its length, so messages stay what
// they are; only copy data that has to be held back comes in other pieces.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "core/model.h"
#include "mask/masker.h"
#include "protocol/postgres/wire.h"

namespace sallyport::postgres {

/// Of one column of a result, as its description says.
struct LookedAt {
  bool never_text = false;  // numbers, dates, flags: no detector has anything to find
  mask::Topics named;
};
using LookedAtColumns = std::vector<LookedAt>;

/// Fields one after the other, as DataRow and binary copy data have them, in pieces of any size.
class FieldStream {
 public:
  void begin_row();
  void begin_copy();
  /// `columns` may be null: everything is looked at.
  Result<void> feed(mask::Masker& masker, Bytes piece, const LookedAtColumns* columns,
                    ByteVector& out, mask::Findings& findings);
  /// Between two rows, and nothing is held back.
  bool between() const { return state_ == State::count && number_missing_ == 2; }

 private:
  enum class State : std::uint8_t { header, extension, count, length, value, end };
  void number_read(const LookedAtColumns* columns);
  void next_field();

  State state_ = State::count;
  bool copy_ = false;
  std::size_t left_ = 0;         // bytes of the header, its extension, or a value
  std::uint32_t number_ = 0;     // what is being read
  unsigned number_missing_ = 2;  // bytes of it
  std::size_t fields_left_ = 0;
  std::size_t column_ = 0;
  bool looked_at_ = true;  // the value that is coming
  mask::TextStream value_;
};

/// Of one session. The masker is its worker's.
class Detection {
 public:
  explicit Detection(std::shared_ptr<mask::Masker> masker) : masker_(std::move(masker)) {}

  /// From the body of a RowDescription that was checked.
  Result<std::shared_ptr<const LookedAtColumns>> columns(Bytes row_description);

  /// A DataRow, whole or a piece of it: appends to `out` what may go out.
  Result<void> row(const Message& message, const LookedAtColumns* columns, ByteVector& out);

  /// Copy data, in the format that CopyOutResponse said.
  void begin_copy(bool binary);
  Result<void> copy(const Message& message, ByteVector& out);
  /// Before CopyDone, or an error in its place: what was held back.
  Result<void> end_copy(ByteVector& out);

  /// An ErrorResponse, NoticeResponse or NotificationResponse that was checked, with its values
  /// hidden. Good until the next call.
  Result<Message> told(const Message& message);

  /// Adds what was found since the last call to `outcome`, if there is one, and to the metrics.
  void note(Outcome* outcome);

 private:
  Result<void> whole_row(std::span<std::byte> body, const LookedAtColumns* columns);
  static void frame(Bytes data, ByteVector& out);

  std::shared_ptr<mask::Masker> masker_;
  mask::Findings findings_;
  FieldStream fields_;
  mask::TextStream lines_;
  bool binary_ = false;
  bool between_lines_ = true;
  ByteVector released_;
  ByteVector told_;
};

}  // namespace sallyport::postgres
