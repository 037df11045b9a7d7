#include "admin/router.h"

#include <utility>

#include "base/check.h"

namespace sallyport::admin {
namespace {

net::Task<http::Response> ready(http::Response response) {
  co_return response;
}

}  // namespace

Handler at_once(std::function<http::Response(const http::Request&)> answer) {
  return [answer = std::move(answer)](http::Request request) { return ready(answer(request)); };
}

void Router::add(std::string_view method, std::string_view path, Handler handler) {
  SALLYPORT_CHECK(path.starts_with('/'));
  insert(exact_, method, path, std::move(handler));
}

void Router::add_prefix(std::string_view method, std::string_view prefix, Handler handler) {
  SALLYPORT_CHECK(prefix.starts_with('/') && prefix.ends_with('/'));
  insert(prefixes_, method, prefix, std::move(handler));
}

void Router::insert(Table& table, std::string_view method, std::string_view path, Handler handler) {
  auto& methods = table[std::string(path)];
  const bool fresh = methods.try_emplace(std::string(method), std::move(handler)).second;
  SALLYPORT_CHECK(fresh);
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Table* const table : {&exact_, &prefixes_}) {
    for (const auto& [path, methods] : *table) {
      for (const auto& [method, handler] : methods) all.emplace_back(method, path);
    }
  }
  return all;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  const auto* found = find(path);
  if (!found) return match;
  const auto& [route, methods] = *found;
  match.route = route;
  for (const auto& [name, handler] : methods) {
    match.allow += name + ", ";
    if (name == "GET" && !methods.contains("HEAD")) match.allow += "HEAD, ";
    if (name == method) match.handler = &handler;
  }
  match.allow += "OPTIONS";
  if (!match.handler && method == "HEAD") {
    const auto get = methods.find("GET");
    if (get != methods.end()) match.handler = &get->second;
  }
  return match;
}

const Router::Table::value_type* Router::find(std::string_view path) const {
  if (const auto exact = exact_.find(path); exact != exact_.end()) return &*exact;
  for (auto slash = path.rfind('/'); slash != path.npos; slash = path.rfind('/', slash - 1)) {
    const auto prefix = prefixes_.find(path.substr(0, slash + 1));
    if (prefix != prefixes_.end()) return &*prefix;
    if (slash == 0) break;
  }
  return nullptr;
}

}  // namespace sallyport::admin
