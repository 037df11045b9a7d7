#pragma once
// The words every protocol shares: who asks (Chain, Session), for what (Action, Command), what the
// policy says (Decision). Plain values; no I/O, no protocol names in the logic.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace sallyport {

enum class IdentityKind : std::uint8_t { user, agent, workload };

/// "User", "Agent" or "Workload": the Cedar entity type.
std::string_view cedar_type(IdentityKind kind);

/// One principal, keyed by issuer and subject. `id` is its Cedar entity id, unique in the tenant
/// and derived from that key by the issuer's configuration. Names and e-mail are for people to read
/// and decide nothing.
struct Identity {
  IdentityKind kind = IdentityKind::user;
  std::string id;
  std::string issuer;
  std::string subject;
  std::string display_name;
  std::string email;
  std::vector<std::string> groups;
  std::string owner;      // agents: the user who answers for it, or empty
  bool attested = false;  // agents: the issuer vouches for what it is
  bool active = true;
  /// Workloads: what their issuer says of the job, by the names of the schema: "repoId", "ref",
  /// "environment", "workflow", "spiffeId".
  std::map<std::string, std::string> job;
};

/// The subject first, then the agents that act for it, nearest first. Never empty.
struct Chain {
  std::vector<Identity> identities;

  const Identity& subject() const { return identities.front(); }
  const Identity& actor() const { return identities.back(); }
  bool delegated() const { return identities.size() > 1; }
  /// "alice" or "alice via support-copilot", for people.
  std::string to_string() const;
};

/// How the chain proved itself.
struct Authentication {
  std::string method;           // "ticket", "jwt", "oidc"
  std::string acr;              // as the issuer said, or empty
  WallTime authenticated_at{};  // when the person last did; mfaAge is counted from here
  bool sender_bound = false;
  bool device_managed = false;
  std::vector<std::string> scopes;  // what the token was limited to
  WallTime expires_at{};            // the session may not start a command after this
  WallTime issued_at{};             // a logout ends what was issued before it
  std::string login_session;        // `sid`: the subject's login at its issuer, or empty
  std::string transaction;          // `txn` of a token exchange, or empty
  std::string connection;           // the only one it is good for, or empty
  std::string delegation;           // the id of the delegation it comes from, or empty
};

/// One client connected to one connection. Fixed for its life.
struct Session {
  std::string id;
  std::string tenant = "default";
  std::string protocol;    // "postgres"
  std::string connection;  // "shop"
  std::string database;    // the database on the target, where the protocol has one
  Chain chain;
  Authentication authentication;
  std::string source_ip;
  std::uint16_t source_port = 0;
  bool tls = false;
  WallTime started_at{};
  bool break_glass = false;
  std::string purpose;                         // or empty
  std::string ticket;                          // or empty
  std::map<std::string, std::string> claimed;  // what the client says of itself, unverified
};

/// A Cedar entity: Table::"shop/app/public/customers".
struct Resource {
  std::string type;
  std::string id;

  auto operator<=>(const Resource&) const = default;
};

/// One thing a command would do. A command that cannot be analysed has no actions, and a command
/// with no actions is denied.
struct Action {
  std::string name;  // "sql:select"
  Resource resource;

  auto operator<=>(const Action&) const = default;
};

/// What the policies may know of a SQL statement (`context.stmt` in the schema).
struct SqlContext {
  std::string kind;         // "select", "insert" ... of the first statement
  std::string fingerprint;  // the statement's shape without literals, hex
  std::string hash;         // binds an approval to exactly this command, hex
  bool has_where = false;
  bool read_only_transaction = false;  // pinned by the gateway, not by the client
  bool multi = false;
  bool dynamic_sql = false;
};

/// What the policies may know of an HTTP request (HttpCtx in the schema).
struct HttpContext {
  std::string host;   // as the client asked for it, in lower case, without the port
  std::string query;  // as sent, without '?': names the bag that holds the parameters
  /// Decoded, each name once: the values of a name that is repeated are joined by a comma.
  std::map<std::string, std::string> parameters;
  std::int64_t body_bytes = 0;  // where nobody knows yet: the most that is let through
  std::string hash;             // binds an approval to exactly this request, hex
};

/// A protection that holds for a command because its chain may not switch it off.
struct Safeguard {
  Action action;       // "reveal" on a Column, "unfilter" on a RowFilter
  std::string effect;  // what is done instead, for people: "partial (pii.email)"
};

/// What a vote is on (`ApprovalRequest` in the schema).
struct VoteContext {
  Identity requester;
  std::vector<std::string> actors;  // ids of the agents that act for it
  std::string target;               // what would be done, for people
  std::int64_t risk = 0;            // 0 to 100
};

using CommandContext = std::variant<std::monostate, SqlContext, VoteContext, HttpContext>;

/// What binds an approval to exactly this command; empty where nothing does.
std::string_view approval_hash(const CommandContext& context);

/// A bound parameter as it goes into the ledger: text, or base64 of a binary value.
struct Parameter {
  std::optional<std::string> value;  // nullopt is NULL
  bool binary = false;
  bool sent_binary = false;  // not recorded: for the hash of an approval
};

/// What a client asks for at once: the exact bytes that would be sent, and what they would do.
/// Decided on, recorded and sent as one value, so that what the policy saw is what the target gets.
struct Command {
  std::string kind;  // "connect", "query", "prepare", "execute", "gateway" ...
  std::string text;  // for people: an approver, the ledger
  std::vector<Parameter> parameters;
  std::vector<Action> actions;
  CommandContext context;
  ByteVector raw;
  /// What is sent instead of `text`: the same with masks and row filters in it. Empty: the text.
  std::string executed;
  /// SHA-256 of `executed` in hex, if the ledger has that text in an earlier record of the session:
  /// then only this is recorded.
  std::string executed_sha256;
  std::vector<Safeguard> safeguards;  // in force
  std::uint64_t policy_epoch = 0;     // of the policies that said so; 0: none were asked
  /// Known to change nothing: it may be sent before its record is durable, as long as no byte of
  /// its answer is released before that.
  bool read_only = false;
};

enum class Verdict : std::uint8_t { allow, hold, deny };
std::string_view to_string(Verdict verdict);

/// What people said yes to (`context.approval` in the schema). Made by the gateway alone, after it
/// has checked the votes.
struct Approval {
  std::string id;
  std::string kind;  // "statement", "list", "window"
  std::uint32_t quorum = 0;
  std::vector<std::string> approvers;  // user ids
  std::string bound_hash;
  WallTime expires{};
};

/// Where a policy sends who asks for an approval, as its annotations say. They route; what protects
/// is the policy's own condition.
struct Route {
  std::string policy;
  std::vector<std::string> approvers;  // @approvers: groups, any of whose members count
  std::uint32_t quorum = 1;            // @quorum: distinct people
  std::chrono::seconds ttl{900};       // @ttl: how long the approval holds
  std::string mode = "statement";      // @mode: or "list", "window"
  std::string alert;                   // @alert, or empty
  std::string review;                  // @review, or empty

  bool operator==(const Route&) const = default;
};

/// Which approval a held command lacks: one of that kind, to which every route has said yes.
struct Hold {
  std::string kind;
  std::vector<Route> routes;
};

/// One question put to the policies, and its answer: may this identity do this action on this
/// resource? A command is allowed when all its answers are.
struct Answer {
  std::string principal;  // User::"alice"
  Action action;
  bool allowed = false;
  std::vector<std::string> policies;  // ids of the policies that decided; empty: none permits
  std::vector<std::string> errors;    // evaluation errors; any makes the answer no
};

struct Decision {
  Verdict verdict = Verdict::deny;
  std::vector<Answer> answers;
  std::uint64_t policy_epoch = 0;
  std::string reason;        // why not, for the client, when not allowed
  std::optional<Hold> hold;  // with that verdict, and only then
  std::string approval;      // the id of what people said yes to and this rests on, or empty

  /// The first answer that said no, or null.
  const Answer* refused() const;
};

/// Why a command may not go on, in words the client may read.
struct Refusal {
  enum class Kind : std::uint8_t {
    policy,        // the policies say no
    not_analysed,  // what cannot be understood cannot be decided
    approval,      // people have to say yes, and have not
    cancelled,     // by the client, while it waited
    not_recorded,  // the ledger cannot take the record
    session,       // expired or revoked
  };
  Kind kind = Kind::policy;
  std::string reason;
  std::string policy;  // the id of the policy that decided, or empty: none permits
  std::string hint;
  std::string request;  // approval, cancelled: the id of the request for it
};

/// How a permitted command ended, for the ledger.
struct Outcome {
  bool failed = false;
  std::string error;  // the target's error code, or why it broke off
  std::string tag;    // the target's own word: "SELECT 3"
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;  // released to the client
  std::uint64_t masked_fields = 0;
  std::map<std::string, std::uint64_t> detected;  // what was found in it, by detector; how often
};

}  // namespace sallyport
