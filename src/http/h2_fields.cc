#include "http/h2_fields.h"

#include <algorithm>
#include <array>
#include <utility>

#include "http/target.h"
#include "http/text.h"

namespace sallyport::http {
namespace {

/// RFC 9113 section 8.2.2
constexpr std::array<std::string_view, 5> of_connection{
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};

Decoded<void> check_name(std::string_view name) {
  const bool upper = std::ranges::any_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (upper || !is_token(name)) return reject(400, "bad header name");
  if (std::ranges::find(of_connection, name) != of_connection.end()) {
    return reject(400, "a field about the connection, which HTTP/2 has none of");
  }
  return {};
}

Decoded<void> check_value(const Header& field) {
  if (!std::ranges::all_of(field.value, is_field_char) || trim(field.value) != field.value) {
    return reject(400, "bad value of a header field");
  }
  if (field.name == "te" && field.value != "trailers") return reject(400, "bad te");
  return {};
}

/// Takes a pseudo-header field out, which stands at most once.
class Pseudo {
 public:
  explicit Pseudo(std::vector<Header>& fields) {
    const auto regular = std::ranges::find_if(
        fields, [](const Header& field) { return !field.name.starts_with(':'); });
    std::move(fields.begin(), regular, std::back_inserter(taken_));
    fields.erase(fields.begin(), regular);
  }

  std::optional<std::string> take(std::string_view name) {
    const auto found = std::ranges::find(taken_, name, &Header::name);
    if (found == taken_.end()) return std::nullopt;
    std::string value = std::move(found->value);
    taken_.erase(found);
    return value;
  }
  bool empty() const { return taken_.empty(); }

 private:
  std::vector<Header> taken_;
};

/// RFC 9113 section 8.2.3
void join_cookies(std::vector<Header>& fields) {
  Header* first = nullptr;
  for (Header& field : fields) {
    if (field.name != "cookie") continue;
    if (first == nullptr) {
      first = &field;
      continue;
    }
    if (!field.value.empty()) first->value += "; " + field.value;
    field.name.clear();
  }
  std::erase_if(fields, [](const Header& field) { return field.name.empty(); });
}

Decoded<Headers> read_fields(std::vector<Header> fields, const HeadLimits& limits) {
  std::size_t bytes = 0;
  for (const Header& field : fields) {
    auto named = check_name(field.name);
    if (!named) return reject(named);
    auto good = check_value(field);
    if (!good) return reject(good);
    bytes += field.name.size() + field.value.size() + 4;
  }
  if (bytes > limits.header_bytes_max) return reject(431, "header section too large");
  if (fields.size() > limits.headers_max) return reject(431, "too many header fields");
  join_cookies(fields);
  Headers headers{std::move(fields)};
  auto repeated = refuse_repeated(headers);
  if (!repeated) return reject(repeated);
  return headers;
}

Decoded<void> read_host(Headers& headers, const std::optional<std::string>& authority) {
  const auto said = headers.get("host");
  const auto host = authority ? std::string_view(*authority) : said.value_or("");
  if (host.empty()) return reject(400, "no :authority");
  if (!is_host(host)) return reject(400, "bad :authority");
  if (said && !equal_ignoring_case(*said, host)) {
    return reject(400, ":authority and host disagree");
  }
  if (!said) headers.all.insert(headers.all.begin(), {"Host", std::string(host)});
  return {};
}

Decoded<Framing> read_framing(const Headers& headers, bool ended) {
  auto framing = framing_of(headers);
  if (!framing) return framing;
  if (framing->kind == Framing::Kind::unsaid && !ended) framing->kind = Framing::Kind::chunked;
  return framing;
}

Result<void> append_fields(std::vector<Header>& to, const Headers& headers, BodyForm body) {
  for (const Header& header : headers.all) {
    auto good = check_field(header);
    if (!good) return good;
    std::string name = lower(header.name);
    if (std::ranges::find(of_connection, name) != of_connection.end()) {
      return fail(Errc::invalid, "a field about the connection");
    }
    to.push_back({std::move(name), header.value});
  }
  if (body.kind == BodyForm::Kind::length) {
    to.push_back({"content-length", std::to_string(body.length)});
  }
  return ok();
}

}  // namespace

Decoded<RequestHead> read_request_fields(std::vector<Header> fields, bool ended,
                                         const HeadLimits& limits) {
  Pseudo pseudo(fields);
  const auto method = pseudo.take(":method");
  const auto scheme = pseudo.take(":scheme");
  const auto path = pseudo.take(":path");
  const auto authority = pseudo.take(":authority");
  if (!pseudo.empty()) return reject(400, "unknown or repeated pseudo-header field");
  if (!method || !scheme || !path) return reject(400, "pseudo-header field missing");
  if (*scheme != "https" && *scheme != "http") return reject(400, "unknown :scheme");
  if (path->size() > limits.first_line_bytes_max) return reject(414, "request line too long");
  auto known = check_method(*method);
  if (!known) return reject(known);
  if (!path->starts_with('/')) return reject(400, "the target is not a path");
  auto target = parse_target(*path);
  if (!target) return reject(target);
  auto headers = read_fields(std::move(fields), limits);
  if (!headers) return reject(headers);
  auto named = read_host(*headers, authority);
  if (!named) return reject(named);
  auto framing = read_framing(*headers, ended);
  if (!framing) return reject(framing);
  if (ended && framing->length > 0) return reject(400, "content-length without a body");

  RequestHead head;
  head.request.method = *method;
  head.request.path = std::move(target->path);
  head.request.query = std::move(target->query);
  head.request.headers = std::move(*headers);
  head.framing = *framing;
  auto expectation = read_expectation(head);
  if (!expectation) return reject(expectation);
  return head;
}

Result<std::vector<Header>> fields_of(const Response& response, BodyForm body) {
  auto possible = check_form(response.status, body);
  if (!possible) return fail(possible);
  std::vector<Header> fields{{":status", std::to_string(response.status)}};
  auto appended = append_fields(fields, response.headers, body);
  if (!appended) return fail(appended);
  return fields;
}

}  // namespace sallyport::http
