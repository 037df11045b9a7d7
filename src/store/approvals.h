#pragma once
// Approval requests at rest, with the votes on them. What the texts say is for approval/ to know.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"

namespace sallyport::store {

struct ApprovalRow {
  std::string id;
  std::string hash;       // of exactly what is asked for
  std::string requester;  // the chain, as a key
  std::string state;
  std::string body;  // JSON
  WallTime created_at{};
  WallTime ends_at{};     // of the state: when nobody may vote or use it any more
  std::string closed_by;  // who denied or cancelled it, or empty
  std::int64_t uses_left = 0;
};

struct VoteRow {
  std::string request;
  std::string voter;       // user id
  std::string name;        // for people
  std::string credential;  // JSON
  bool approve = false;
  std::string reason;
  std::string address;  // that the vote came from
  WallTime at{};
};

class ApprovalStore {
 public:
  /// `database` must outlive it.
  explicit ApprovalStore(Database& database) : database_(&database) {}

  Result<void> add(const ApprovalRow& row);
  Result<std::optional<ApprovalRow>> find(std::string_view id);
  /// In one of the two states that are not final, newest first.
  Result<std::vector<ApprovalRow>> open_for(std::string_view hash);
  /// Of that requester and in that state, the oldest first.
  Result<std::vector<ApprovalRow>> of(std::string_view requester, std::string_view state,
                                      std::size_t rows_max);
  /// Newest first; no states: in any.
  Result<std::vector<ApprovalRow>> list(const std::vector<std::string>& states,
                                        std::size_t rows_max);
  /// In one of the two states that are not final, though their time is up; the oldest first.
  Result<std::vector<ApprovalRow>> overdue(WallTime now, std::size_t rows_max);
  /// Of those that have not ended.
  Result<std::size_t> count(std::string_view requester, std::string_view state, WallTime now);
  Result<std::size_t> count_since(std::string_view requester, WallTime since);
  /// Forgets what was asked for before, if it has ended.
  Result<void> purge(WallTime before);

  /// From one state to another, at most once however many ask: true for the one that did it.
  Result<bool> move(std::string_view id, std::string_view from, std::string_view to,
                    WallTime ends_at, std::string_view closed_by = "");
  /// Takes one use of a request in `state`; with the last one it goes to `used_up`. False if there
  /// is none left, or not `left`.
  Result<bool> use(std::string_view id, std::string_view state, std::string_view used_up,
                   WallTime now, std::optional<std::int64_t> left);

  /// False if this person has voted on it before.
  Result<bool> vote(const VoteRow& vote);
  Result<std::vector<VoteRow>> votes(std::string_view request);

 private:
  Database* database_;
};

}  // namespace sallyport::store
