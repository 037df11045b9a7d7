// fake_postgres: a PostgreSQL server that does no work, so that what a run costs is the proxy's.
// One busy process: while there is traffic it polls without sleeping, so that no send of the proxy
// pays for waking it. It logs everybody in, answers every text and every portal with the same row,
// and whatever else a gateway says when a session begins or ends (SET, DISCARD ALL, ...) with its
// command's own tag. Not a server for tests: it checks nothing.
//
//   fake_postgres PORT

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace {

constexpr std::size_t receive_bytes = 64 * 1024;
constexpr std::uint32_t packet_bytes_max = 1 << 20;
constexpr std::uint32_t ssl_request = 80877103;
constexpr std::uint32_t gss_request = 80877104;
constexpr std::uint32_t cancel_request = 80877102;
constexpr int events_per_turn = 256;
constexpr int idle_turns_max = 5000;  // some milliseconds

std::uint32_t u32(std::string_view at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at.data(), sizeof value);
  return ntohl(value);
}

std::string message(char type, std::string_view body) {
  std::string out(1, type);
  const std::uint32_t length = htonl(static_cast<std::uint32_t>(body.size() + 4));
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  return out.append(body);
}

std::string text(std::string_view value) {
  return std::string(value) + '\0';
}

std::string greeting() {
  using namespace std::string_view_literals;
  std::string out = message('R', "\0\0\0\0"sv);
  constexpr std::pair<std::string_view, std::string_view> parameters[] = {
      {"server_version", "15.10"},   {"server_encoding", "UTF8"},
      {"client_encoding", "UTF8"},   {"DateStyle", "ISO, MDY"},
      {"TimeZone", "UTC"},           {"integer_datetimes", "on"},
      {"IntervalStyle", "postgres"}, {"standard_conforming_strings", "on"},
      {"is_superuser", "off"},       {"session_authorization", "bench"},
      {"application_name", ""},      {"default_transaction_read_only", "off"},
      {"in_hot_standby", "off"}};
  for (const auto& [name, value] : parameters) out += message('S', text(name) + text(value));
  out += message('K', "\0\0\1\1\0\0\1\1"sv);
  return out + message('Z', "I");
}

struct Canned {
  std::string hello = greeting();
  std::string ready = message('Z', "I");
  std::string description;
  std::string row;
  std::string done = message('C', text("SELECT 1"));
  std::string parsed = message('1', "");
  std::string bound = message('2', "");
  std::string closed = message('3', "");

  Canned() {
    using namespace std::string_literals;
    // One column, `total`, numeric(10,2).
    description =
        message('T', "\0\1"s + text("total") + "\0\0\100\1\0\3\0\0\6\244\377\377\0\12\0\6\0\0"s);
    row = message('D', "\0\1\0\0\0\5"s + "12.34");
  }
};

/// "SET" of "set x = 1", "DISCARD ALL" of "discard all": close enough to the server's own tags.
std::string tag_of(std::string_view sql) {
  std::string tag;
  for (const char c : sql.substr(0, 11)) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0 && c != ' ') break;
    tag.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return tag.starts_with("DISCARD") ? "DISCARD ALL" : tag.substr(0, tag.find(' '));
}

bool reads(std::string_view sql) {
  return tag_of(sql) == "SELECT";
}

class Client {
 public:
  explicit Client(const Canned& canned) : canned_(canned) {}

  /// Answers everything that is whole in `received`; false: the client is to be closed.
  bool take(std::string_view received, std::string& out) {
    if (!kept_.empty()) received = kept_.append(received);
    std::size_t used = 0;
    bool good = true;
    while (good && answer_one(received.substr(used), used, out, good)) {
    }
    std::string rest(received.substr(used));
    kept_ = std::move(rest);
    return good;
  }

 private:
  bool answer_one(std::string_view in, std::size_t& used, std::string& out, bool& good) {
    const std::size_t head = started_ ? 1 : 0;
    if (in.size() < (started_ ? 5 : 8)) return false;
    const std::uint32_t length = u32(in.substr(head));
    good = length >= 4 && length <= packet_bytes_max;
    if (!good || in.size() < head + length) return false;
    used += head + length;
    const std::string_view body = in.substr(head + 4, length - 4);
    if (!started_) return good = start(body, out);
    if (in[0] == 'X') return good = false;
    answer(in[0], body, out);
    return true;
  }

  bool start(std::string_view body, std::string& out) {
    const std::uint32_t code = u32(body);
    if (code == cancel_request) return false;
    if (code == ssl_request || code == gss_request) {
      out += 'N';
      return true;
    }
    started_ = true;
    out += canned_.hello;
    return true;
  }

  void answer(char type, std::string_view body, std::string& out) const {
    switch (type) {
      case 'Q':
        if (reads(body)) {
          out.append(canned_.description).append(canned_.row).append(canned_.done);
        } else {
          out += message('C', text(tag_of(body)));
        }
        out += canned_.ready;
        break;
      case 'P':
        out += canned_.parsed;
        break;
      case 'B':
        out += canned_.bound;
        break;
      case 'D':
        if (body.starts_with('S')) out += message('t', std::string(2, '\0'));
        out += canned_.description;
        break;
      case 'E':
        out.append(canned_.row).append(canned_.done);
        break;
      case 'C':
        out += canned_.closed;
        break;
      case 'S':
        out += canned_.ready;
        break;
      default:
        break;
    }
  }

  const Canned& canned_;
  bool started_ = false;
  std::string kept_;  // the beginning of a packet
};

int listen_on(std::uint16_t port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 1024) != 0) {
    std::perror("fake_postgres");
    std::exit(1);
  }
  return listener;
}

class Server {
 public:
  explicit Server(std::uint16_t port) : listener_(listen_on(port)), poll_(epoll_create1(0)) {
    watch(listener_);
  }

  [[noreturn]] void run() {
    int idle_turns = 0;
    for (;;) {
      epoll_event events[events_per_turn];
      const bool asleep = idle_turns > idle_turns_max;
      const int count = epoll_wait(poll_, events, events_per_turn, asleep ? -1 : 0);
      idle_turns = count > 0 ? 0 : idle_turns + 1;
      for (int i = 0; i < count; ++i) {
        if (events[i].data.fd == listener_) {
          accept_all();
        } else {
          serve(events[i].data.fd);
        }
      }
    }
  }

 private:
  void watch(int fd) const {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &event);
  }

  void accept_all() {
    int fd = -1;
    while ((fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      clients_.emplace(fd, std::make_unique<Client>(canned_));
      watch(fd);
    }
  }

  void serve(int fd) {
    const ssize_t got = recv(fd, received_.data(), received_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    out_.clear();
    bool good = got > 0;
    if (good) {
      good = clients_[fd]->take({received_.data(), static_cast<std::size_t>(got)}, out_);
    }
    // Answers are short: what does not fit into the socket's buffer ends the client.
    if (!out_.empty()) {
      const ssize_t sent = send(fd, out_.data(), out_.size(), MSG_NOSIGNAL);
      good = good && sent == static_cast<ssize_t>(out_.size());
    }
    if (good) return;
    clients_.erase(fd);
    close(fd);
  }

  const Canned canned_;
  const int listener_;
  const int poll_;
  std::unordered_map<int, std::unique_ptr<Client>> clients_;
  std::string received_ = std::string(receive_bytes, '\0');
  std::string out_;
};

}  // namespace

int main(int argc, char** argv) {
  const int port = argc == 2 ? std::atoi(argv[1]) : 0;
  if (port < 1 || port > 65535) {
    std::fputs("usage: fake_postgres PORT\n", stderr);
    return 2;
  }
  Server(static_cast<std::uint16_t>(port)).run();
}
