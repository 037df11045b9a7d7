// How a document becomes an OpenApi.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/numbers.h"
#include "content/document.h"
#include "content/json_path.h"
#include "content/media_type.h"
#include "content/openapi.h"
#include "content/schema_states.h"

namespace sallyport::content {
namespace {

using Way = SelectorBuilder::Way;

constexpr std::size_t problems_max = 20;
constexpr std::size_t paths_max = 10'000;

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 0x20);
  }
  return out;
}

/// "https://crm.example.com/api/v2/" is at "/api/v2".
std::string path_of_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  if (scheme != std::string_view::npos || url.starts_with("//")) {
    url.remove_prefix(std::min(url.find('/', url.starts_with("//") ? 2 : 0), url.size()));
  }
  while (url.ends_with('/')) url.remove_suffix(1);
  return std::string(url);
}

}  // namespace

class OpenApiLoader {
 public:
  OpenApiLoader(std::string_view name, const OpenApiOptions& options, const DocumentValue& document)
      : name_(name),
        options_(options),
        document_(document),
        schemas_(document, builder_,
                 [this](std::size_t line, std::string what) { complain(line, what); }) {}

  Result<std::shared_ptr<const OpenApi>> load() {
    check_version();
    for (const PathRule& rule : options_.paths) {
      if (auto added = builder_.add(rule); !added) complain(1, added.error().detail);
    }
    const std::string base = base_path();
    const DocumentValue* const paths = document_.find("paths");
    if (paths == nullptr || !paths->is_map()) {
      complain(document_.line, "there are no paths");
    } else if (paths->members.size() > paths_max) {
      complain(paths->line, fmt::format("more than {} paths", paths_max));
    } else {
      for (const auto& [path, item] : paths->members) {
        if (!path.starts_with("x-")) read_path(base + path, item);
      }
    }
    check_ambiguity();
    for (const Written& written : written_) build_responses(written);
    if (!problems_.empty()) return fail(Errc::invalid, problems_);
    std::set<std::string> classes;
    for (const auto& responses : made_->responses_) {
      const auto some = responses.undescribed->classes();
      classes.insert(some.begin(), some.end());
    }
    made_->classes_.assign(classes.begin(), classes.end());
    return made_;
  }

 private:
  using State = SelectorBuilder::State;
  /// An answer's media types and their states.
  using Media = std::map<std::string, State>;
  /// What an operation's answers were written as.
  struct Written {
    std::size_t line;
    std::map<std::string, Media> by_status;
  };

  void complain(std::size_t line, std::string_view what) {
    if (++count_ > problems_max) return;
    if (!problems_.empty()) problems_ += '\n';
    problems_ += count_ == problems_max ? "and more" : fmt::format("{}:{}: {}", name_, line, what);
  }

  void check_version() {
    const DocumentValue* const version = document_.find("openapi");
    if (version == nullptr) {
      const bool swagger = document_.find("swagger") != nullptr;
      return complain(document_.line, swagger ? "Swagger 2.0: convert it to OpenAPI 3"
                                              : "not an OpenAPI document: no `openapi: 3.x`");
    }
    if (!version->text.starts_with("3.0.") && !version->text.starts_with("3.1.")) {
      complain(version->line, "only OpenAPI 3.0 and 3.1 are known");
    }
  }

  std::string base_path() {
    if (options_.base_path) return *options_.base_path == "/" ? "" : *options_.base_path;
    const DocumentValue* const servers = document_.find("servers");
    if (servers == nullptr || servers->items.empty()) return "";
    const std::string base = path_of_url(server_url(servers->items.front()));
    for (const DocumentValue& server : servers->items) {
      if (path_of_url(server_url(server)) == base) continue;
      complain(server.line, "servers with different paths: say which one with base_path");
    }
    if (base.find_first_of("{}?#") != std::string::npos) {
      complain(servers->line, "the path of the server cannot be told: say it with base_path");
    }
    return base;
  }

  /// With the defaults of its variables.
  static std::string server_url(const DocumentValue& server) {
    const DocumentValue* const url = server.find("url");
    std::string text = url == nullptr ? "" : url->text;
    const DocumentValue* const variables = server.find("variables");
    if (variables == nullptr) return text;
    for (const auto& [name, variable] : variables->members) {
      const DocumentValue* const value = variable.find("default");
      const std::size_t at = text.find("{" + name + "}");
      if (value != nullptr && at != std::string::npos) {
        text.replace(at, name.size() + 2, value->text);
      }
    }
    return text;
  }

  void read_path(const std::string& path, const DocumentValue& written) {
    auto parsed = PathTemplate::parse(path);
    if (!parsed) return complain(written.line, fmt::format("{}: {}", path, parsed.error().detail));
    const DocumentValue* const item = schemas_.follow(written);
    if (item == nullptr) return;
    if (const auto* servers = item->find("servers")) {
      complain(servers->line, "servers of a path are not supported");
    }
    OpenApi::Path entry{.path = *std::move(parsed)};
    for (const char* method :
         {"get", "put", "post", "delete", "options", "head", "patch", "trace"}) {
      const DocumentValue* const operation = item->find(method);
      if (operation == nullptr) continue;
      entry.operations.emplace(upper(method),
                               static_cast<std::uint32_t>(made_->operations_.size()));
      read_operation(upper(method), path, *operation);
    }
    made_->index_.add(entry.path, static_cast<std::uint32_t>(made_->paths_.size()));
    made_->paths_.push_back(std::move(entry));
    lines_.push_back(written.line);
  }

  void read_operation(const std::string& method, const std::string& path,
                      const DocumentValue& written) {
    Operation operation{.id = method + " " + path, .method = method, .path = path};
    if (const auto* id = written.find("operationId")) {
      operation.id = id->text;
      const auto [first, fresh] = ids_.emplace(id->text, id->line);
      if (!fresh) {
        complain(id->line, fmt::format("operationId '{}' is there twice, first on line {}",
                                       id->text, first->second));
      }
    }
    if (const auto* tags = written.find("tags")) operation.tags = texts_of(*tags);
    if (const auto* context = written.find("x-context")) read_context(*context, operation);
    if (const auto* limits = written.find("x-limits")) read_limits(*limits, operation);
    if (const auto* servers = written.find("servers")) {
      complain(servers->line, "servers of an operation are not supported");
    }
    made_->operations_.push_back(std::move(operation));
    written_.push_back({written.line, {}});
    if (const auto* responses = written.find("responses")) read_responses(*responses);
  }

  void read_context(const DocumentValue& value, Operation& operation) {
    operation.context = texts_of(value);
    for (const std::string& path : operation.context) {
      const auto steps = parse_json_path(path);
      const bool names = steps && !steps->empty() && std::ranges::all_of(*steps, [](const auto& s) {
                           return s.name && !s.anywhere;
                         });
      if (!names) {
        complain(value.line,
                 fmt::format("x-context '{}' is no path of names such as $.order.amount", path));
      }
    }
  }

  void read_limits(const DocumentValue& value, Operation& operation) {
    for (const auto& [name, limit] : value.members) {
      const auto number = parse_number<std::uint64_t>(limit.text);
      if (!number || (name != "request_bytes" && name != "response_bytes")) {
        complain(limit.line, "x-limits has request_bytes and response_bytes, numbers of bytes");
      } else {
        (name == "request_bytes" ? operation.request_bytes_max : operation.response_bytes_max) =
            *number;
      }
    }
  }

  void read_responses(const DocumentValue& responses) {
    for (const auto& [status, written] : responses.members) {
      if (status.starts_with("x-")) continue;
      const bool known = status == "default" ||
                         (status.size() == 3 && status[0] >= '1' && status[0] <= '5' &&
                          (status.ends_with("XX") || std::ranges::all_of(status, [](char c) {
                             return c >= '0' && c <= '9';
                           })));
      if (!known) {
        complain(written.line,
                 fmt::format("'{}' is no status such as 200, 2XX or default", status));
        continue;
      }
      Media& media = written_.back().by_status[status];
      const DocumentValue* const response = schemas_.follow(written);
      const DocumentValue* const content = response ? response->find("content") : nullptr;
      if (content == nullptr) continue;
      for (const auto& [type, body] : content->members) read_media(type, body, media);
    }
  }

  void read_media(const std::string& name, const DocumentValue& body, Media& media) {
    const auto type = parse_media_type(name);
    if (!type) return complain(body.line, fmt::format("'{}' is no media type", name));
    const State state = builder_.add_state();
    builder_.on(Way::also, state, SelectorBuilder::root);
    if (const auto* schema = body.find("schema")) {
      builder_.on(Way::also, state, schemas_.state_of(*schema));
    }
    // Types that differ only in parameters: what either says may be in it.
    if (const auto [known, fresh] = media.emplace(type->essence, state); !fresh) {
      builder_.on(Way::also, known->second, state);
    }
  }

  void check_ambiguity() {
    for (std::size_t a = 0; a < made_->paths_.size(); ++a) {
      for (std::size_t b = 0; b < a; ++b) {
        const OpenApi::Path& later = made_->paths_[a];
        const OpenApi::Path& earlier = made_->paths_[b];
        if (later.path.relation(earlier.path) != PathTemplate::Relation::ambiguous) continue;
        for (const auto& [method, number] : later.operations) {
          if (!earlier.operations.contains(method)) continue;
          complain(lines_[a], fmt::format("{} {} can be the same path as {} on line {}", method,
                                          later.path.text(), earlier.path.text(), lines_[b]));
          break;
        }
      }
    }
  }

  void build_responses(const Written& written) {
    OpenApi::Responses responses;
    std::set<std::string> classes;
    for (const auto& [status, media] : written.by_status) {
      OpenApi::Media& made = responses.by_status[status];
      for (const auto& [type, state] : media) {
        auto selector = selector_of(state);
        if (!selector) return complain(written.line, selector.error().detail);
        const auto some = (*selector)->classes();
        classes.insert(some.begin(), some.end());
        made.emplace(type, *std::move(selector));
      }
    }
    auto undescribed = selector_of_all(classes);
    if (!undescribed) return complain(written.line, undescribed.error().detail);
    responses.undescribed = *std::move(undescribed);
    made_->responses_.push_back(std::move(responses));
  }

  /// Where nothing is classified, one for all of them.
  Result<std::shared_ptr<const Selector>> selector_of(State state) {
    auto made = builder_.build(state);
    if (made && (*made)->empty()) return empty_;
    return made;
  }

  Result<std::shared_ptr<const Selector>> selector_of_all(const std::set<std::string>& classes) {
    const std::vector<std::string> all(classes.begin(), classes.end());
    const auto [known, fresh] = wholes_.try_emplace(all);
    if (!fresh) return known->second;
    SelectorBuilder whole;
    for (const PathRule& rule : options_.paths) (void)whole.add(rule);
    whole.classify(SelectorBuilder::root, all);
    auto made = whole.build();
    if (made) known->second = *made;
    return made;
  }

  std::string problems_;  // first: the members below complain while they are made
  std::size_t count_ = 0;
  std::string_view name_;
  const OpenApiOptions& options_;
  const DocumentValue& document_;
  SelectorBuilder builder_;
  SchemaStates schemas_;
  std::shared_ptr<OpenApi> made_ = std::make_shared<OpenApi>();
  std::vector<Written> written_;    // of the same numbers as operations
  std::vector<std::size_t> lines_;  // of paths
  std::map<std::string, std::size_t> ids_;
  std::map<std::vector<std::string>, std::shared_ptr<const Selector>> wholes_;
  std::shared_ptr<const Selector> empty_ = std::make_shared<const Selector>();
};

Result<std::shared_ptr<const OpenApi>> OpenApi::load(std::string_view text, std::string_view name,
                                                     const OpenApiOptions& options) {
  auto document = read_document(text);
  if (!document) {
    return fail(Errc::invalid, fmt::format("{}:{}", name, document.error().detail));
  }
  return OpenApiLoader(name, options, *document).load();
}

}  // namespace sallyport::content
