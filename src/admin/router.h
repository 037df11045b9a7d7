#pragma once
// Router: which handler answers which method and path. Filled while the parts are wired, then only
// read. It knows nothing of connections.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.h"
#include "net/task.h"

namespace sallyport::admin {

/// Answers one request. A plain function, or a lambda that only calls a member that is a coroutine:
/// `[&issuer](http::Request r) { return issuer.token(std::move(r)); }`; never itself a coroutine,
/// because its captures would go before the answer is there. Waits must have their own limits.
using Handler = std::function<net::Task<http::Response>(http::Request)>;

/// For what can be said at once.
Handler at_once(std::function<http::Response(const http::Request&)> answer);

class Router {
 public:
  /// Exactly `path`, which starts with '/'. GET answers HEAD too. A second handler for the same
  /// method and path is a bug.
  void add(std::string_view method, std::string_view path, Handler handler);
  /// Every path that starts with `prefix`, which starts and ends with '/'. The longest wins, and an
  /// exact path before any.
  void add_prefix(std::string_view method, std::string_view prefix, Handler handler);

  struct Match {
    const Handler* handler = nullptr;  // null: nobody answers
    std::string route;                 // the path or prefix as registered; empty: no such path
    std::string allow;                 // the methods that the path has, for 405 and OPTIONS
  };
  /// Method and path (or prefix) of all of them.
  std::vector<std::pair<std::string, std::string>> routes() const;
  /// The handler pointer lives as long as the router is not changed.
  Match match(std::string_view method, std::string_view path) const;

 private:
  using Methods = std::map<std::string, Handler, std::less<>>;
  using Table = std::map<std::string, Methods, std::less<>>;

  static void insert(Table& table, std::string_view method, std::string_view path, Handler handler);
  const Table::value_type* find(std::string_view path) const;

  Table exact_;
  Table prefixes_;
};

}  // namespace sallyport::admin
