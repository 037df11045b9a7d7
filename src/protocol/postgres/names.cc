#include "protocol/postgres/names.h"

namespace sallyport::postgres {
namespace {

template <class Map>
void erase(Map& map, std::string_view name) {
  if (const auto found = map.find(name); found != map.end()) map.erase(found);
}

}  // namespace

std::shared_ptr<Prepared> Names::prepared(std::string_view name) const {
  const auto found = prepared_.find(name);
  return found == prepared_.end() ? nullptr : found->second;
}

std::shared_ptr<Portal> Names::portal(std::string_view name) const {
  const auto found = portals_.find(name);
  return found == portals_.end() ? nullptr : found->second;
}

const Cursor* Names::cursor(std::string_view name) const {
  const auto found = cursors_.find(name);
  return found == cursors_.end() ? nullptr : &found->second;
}

bool Names::define(const std::string& name, std::shared_ptr<Prepared> prepared,
                   std::shared_ptr<Prepared>& before) {
  auto& slot = prepared_[name];
  before = slot;
  slot = std::move(prepared);
  if (prepared_.size() <= names_max) return true;
  prepared_.erase(name);
  return false;
}

void Names::undo(const std::string& name, const std::shared_ptr<Prepared>& prepared,
                 std::shared_ptr<Prepared> before) {
  const auto found = prepared_.find(name);
  if (found == prepared_.end() || found->second != prepared) return;
  if (name.empty() || before == nullptr) {
    prepared_.erase(found);
  } else {
    found->second = std::move(before);
  }
}

void Names::forget_prepared(std::string_view name) {
  erase(prepared_, name);
}

bool Names::define(const std::string& name, std::shared_ptr<Portal> portal) {
  portals_[name] = std::move(portal);
  portals_had_.insert(name);
  if (portals_had_.size() <= names_max) return true;
  portals_.erase(name);
  portals_had_.erase(name);
  return false;
}

void Names::undo(const std::string& name, const std::shared_ptr<Portal>& portal) {
  const auto found = portals_.find(name);
  if (found != portals_.end() && found->second == portal) portals_.erase(found);
}

void Names::forget_portal(std::string_view name) {
  erase(portals_, name);
}

void Names::transaction_ended() {
  std::erase_if(portals_, [](const auto& entry) { return entry.second->batch == 0; });
  portals_had_.clear();
  for (const auto& [name, portal] : portals_) portals_had_.insert(name);
  std::erase_if(cursors_, [](const auto& entry) { return !entry.second.hold; });
}

void Names::forget_unnamed() {
  forget_prepared("");
  forget_portal("");
}

bool Names::define(const std::string& name, Cursor cursor) {
  cursors_.insert_or_assign(name, std::move(cursor));
  if (cursors_.size() <= names_max) return true;
  cursors_.erase(name);
  return false;
}

void Names::forget_cursor(std::string_view name) {
  erase(cursors_, name);
}

}  // namespace sallyport::postgres
