#include "ledger/sessions.h"

#include <algorithm>
#include <list>
#include <set>
#include <unordered_map>

namespace sallyport::ledger {
namespace {

bool matches(const Session& session, const SessionQuery& query) {
  if (!query.connection.empty() && session.connection != query.connection) return false;
  if (query.since && session.started_at < *query.since) return false;
  if (query.who.empty()) return true;
  return session.chain.to_string().find(query.who) != std::string::npos ||
         std::ranges::any_of(session.chain.identities,
                             [&](const Identity& identity) { return identity.id == query.who; });
}

void count(SessionSummary& summary, const Entry& entry) {
  if (entry.kind == RecordKind::command) ++summary.commands;
  if (entry.kind == RecordKind::refusal) ++summary.refused;
  if (entry.kind != RecordKind::session_end) return;
  summary.ended = entry.time;
  if (auto end = parse_session_end(entry.payload)) summary.end = std::move(*end);
}

}  // namespace

Result<std::vector<SessionSummary>> list_sessions(const std::filesystem::path& directory,
                                                  const SessionQuery& query, FileLayer& files) {
  Filter filter;
  filter.kinds = {RecordKind::session_start, RecordKind::session_end, RecordKind::command,
                  RecordKind::refusal};
  auto reader = LogReader::open(directory, filter, files);
  if (!reader) return fail(reader);
  std::list<SessionSummary> sessions;
  std::unordered_map<std::string, std::list<SessionSummary>::iterator> by_id;
  while (true) {
    auto entry = reader->next();
    if (!entry) return fail(entry);
    if (!*entry) break;
    if ((*entry)->kind != RecordKind::session_start) {
      if (const auto known = by_id.find((*entry)->session); known != by_id.end()) {
        count(*known->second, **entry);
      }
      continue;
    }
    auto session = parse_session_start((*entry)->session, (*entry)->payload);
    if (!session) return fail(session, "record " + std::to_string((*entry)->sequence));
    if (!matches(*session, query)) continue;
    sessions.push_back({.session = std::move(*session), .first_sequence = (*entry)->sequence});
    by_id[(*entry)->session] = std::prev(sessions.end());
    if (sessions.size() > query.sessions_max) {
      by_id.erase(sessions.front().session.id);
      sessions.pop_front();
    }
  }
  return std::vector(std::make_move_iterator(sessions.begin()),
                     std::make_move_iterator(sessions.end()));
}

Result<std::vector<Entry>> session_records(const std::filesystem::path& directory,
                                           std::string_view id, FileLayer& files) {
  if (id.empty()) return fail(Errc::invalid, "a session id is needed");
  Filter starts;
  starts.kinds = {RecordKind::session_start};
  auto reader = LogReader::open(directory, starts, files);
  if (!reader) return fail(reader);
  std::set<std::string> found;
  while (true) {
    auto entry = reader->next();
    if (!entry) return fail(entry);
    if (!*entry) break;
    if ((*entry)->session.starts_with(id)) found.insert((*entry)->session);
  }
  if (found.contains(std::string(id))) found = {std::string(id)};
  if (found.empty()) return fail(Errc::invalid, "no session " + std::string(id));
  if (found.size() > 1) {
    return fail(Errc::invalid, std::to_string(found.size()) + " sessions begin with " +
                                   std::string(id) + ": give more of the id");
  }
  Filter own;
  own.session = *found.begin();
  reader = LogReader::open(directory, own, files);
  if (!reader) return fail(reader);
  std::vector<Entry> entries;
  while (true) {
    auto entry = reader->next();
    if (!entry) return fail(entry);
    if (!*entry) return entries;
    entries.push_back(std::move(**entry));
  }
}

}  // namespace sallyport::ledger
