#include "common/kube/leader_election.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace holdfast::kube {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int kAttemptsALead = 4;       // that one message is lost must not end a lead
constexpr seconds kLongestLease{3600};  // of others; what is longer is not believed

Resource leases(const std::string& name_space) {
  return {.group = "coordination.k8s.io", .version = "v1", .plural = "leases", .name_space = name_space};
}

// For people to read; nothing is decided by it.
std::string micro_time(Clock& clock) {
  std::string text = utc_text(clock.now());
  text.insert(text.size() - 1, ".000000");
  return text;
}

// All of it that an update must not take away; who manages which field the server remembers by itself.
CallOptions one_attempt(std::chrono::milliseconds deadline) {
  return {.kept = {"apiVersion", "metadata.labels", "metadata.annotations", "metadata.ownerReferences",
                   "metadata.finalizers", "spec"},
          .deadline = deadline,
          .once = true};
}

// A member of the lease's spec, or what is given when it has another type or is missing.
template <class T>
T spec_of(const json& lease, const char* member, T absent) {
  const auto spec = lease.find("spec");
  if (spec == lease.end() || !spec->is_object()) {
    return absent;
  }
  const auto found = spec->find(member);
  const bool fits = found != spec->end() &&
                    (std::is_same_v<T, std::string> ? found->is_string() : found->is_number_integer());
  return fits ? found->template get<T>() : absent;
}

}  // namespace

// The lease as it was last seen, and since when it has been like that.
struct LeaderElection::Lease {
  std::optional<json> object;  // none: there is none
  std::string version;
  nanoseconds since{};
};

LeaderElection::LeaderElection(EventLoop& loop, ObjectClient& client, LeaderOptions options,
                               Callbacks callbacks, std::uint64_t seed)
    : loop_(loop),
      client_(client),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      spread_(options_.retry / 4, options_.retry / 4, seed),
      seen_(std::make_unique<Lease>()) {}

LeaderElection::~LeaderElection() = default;

void LeaderElection::start() {
  next_ = loop_.after({}, [this] { step(); });
}

bool LeaderElection::leads() const { return leading_ && loop_.clock().since_boot() < leads_until_; }

void LeaderElection::step() {
  if (leads() && seen_->object) {
    write();
  } else {
    look();
  }
}

void LeaderElection::again() {
  call_.reset();
  next_ = loop_.after(options_.retry + spread_.next(), [this] { step(); });
}

void LeaderElection::look() {
  call_ = client_.get(
      leases(options_.name_space), options_.name, [this](Result<json> found) { looked(std::move(found)); },
      one_attempt(options_.lead / kAttemptsALead));
}

void LeaderElection::looked(Result<json> found) {
  if (!found && found.error().code != Code::kNotFound) {
    callbacks_.trouble(found.error());
    again();
    return;
  }
  observe(found ? std::optional(*std::move(found)) : std::nullopt);
  if (spec_of<std::string>(lease_or_empty(), "holderIdentity", "") != options_.identity) {
    cease();  // also when somebody deleted the lease: the next may take it at once
  }
  if (is_free()) {
    write();
  } else {
    again();
  }
}

void LeaderElection::observe(std::optional<json> lease) {
  std::string version;
  if (lease) {
    version = id_of(*lease).value_or(ObjectId{}).resource_version;
  }
  if (version != seen_->version || lease.has_value() != seen_->object.has_value()) {
    seen_->since = loop_.clock().since_boot();
  }
  seen_->object = std::move(lease);
  seen_->version = std::move(version);
}

json LeaderElection::lease_or_empty() const { return seen_->object.value_or(json::object()); }

bool LeaderElection::is_free() const {
  if (!seen_->object) {
    return true;
  }
  const auto holder = spec_of<std::string>(lease_or_empty(), "holderIdentity", "");
  if (holder.empty() || holder == options_.identity) {
    return true;
  }
  const seconds theirs(spec_of<std::int64_t>(lease_or_empty(), "leaseDurationSeconds", 0));
  const seconds lasts = std::clamp(theirs, options_.lease, std::max(kLongestLease, options_.lease));
  return loop_.clock().since_boot() - seen_->since >= lasts;
}

json LeaderElection::claim(const std::string& holder) const {
  json lease = lease_or_empty();
  if (!seen_->object) {
    lease = {{"apiVersion", "coordination.k8s.io/v1"},
             {"kind", "Lease"},
             {"metadata", {{"name", options_.name}, {"namespace", options_.name_space}}}};
  }
  const std::string now = micro_time(loop_.clock());
  const bool changes = spec_of<std::string>(lease, "holderIdentity", "") != holder;
  const auto transitions = spec_of<std::int64_t>(lease, "leaseTransitions", 0);
  const bool is_new = !seen_->object;
  json& spec = lease["spec"];
  spec["leaseTransitions"] = transitions + (changes && !is_new ? 1 : 0);
  spec["acquireTime"] = changes ? now : spec_of<std::string>(lease, "acquireTime", now);
  spec["holderIdentity"] = holder;
  spec["leaseDurationSeconds"] = options_.lease.count();
  spec["renewTime"] = now;
  return lease;
}

void LeaderElection::write() {
  const nanoseconds sent = loop_.clock().since_boot();
  const auto done = [this, sent](Result<json> kept) { wrote(sent, std::move(kept)); };
  const CallOptions options = one_attempt(options_.lead / kAttemptsALead);
  const Resource resource = leases(options_.name_space);
  call_ = !seen_->object ? client_.create(resource, claim(options_.identity), done, options)
                         : client_.update(resource, claim(options_.identity), done, options);
}

void LeaderElection::wrote(nanoseconds sent, Result<json> kept) {
  if (kept) {
    observe(*std::move(kept));
    lead_until(sent + options_.lead);
    again();
    return;
  }
  const Code code = kept.error().code;
  if (code == Code::kAborted || code == Code::kAlreadyExists || code == Code::kNotFound) {
    cease();  // another wrote it, or somebody deleted it
  } else {
    callbacks_.trouble(kept.error());
  }
  // What is there now is not known: also a write that failed may have been done.
  seen_->object.reset();
  again();
}

void LeaderElection::lead_until(nanoseconds end) {
  const nanoseconds now = loop_.clock().since_boot();
  leads_until_ = end;
  if (end <= now) {
    cease();
    return;
  }
  end_ = loop_.after(end - now, [this] { cease(); });
  if (!std::exchange(leading_, true)) {
    callbacks_.started();
  }
}

void LeaderElection::cease() {
  end_.end();
  if (std::exchange(leading_, false)) {
    callbacks_.stopped();
  }
}

// What is there is asked for first: a renewal that was on its way may have changed it.
void LeaderElection::resign(std::function<void()> done) {
  const bool led = leads();
  call_.reset();
  next_.end();
  cease();
  if (!led) {
    next_ = loop_.after({}, std::move(done));
    return;
  }
  call_ = client_.get(
      leases(options_.name_space), options_.name,
      [this, done = std::move(done)](Result<json> found) { release(std::move(found), done); },
      one_attempt(options_.retry));
}

void LeaderElection::release(Result<json> found, std::function<void()> done) {
  observe(found ? std::optional(*std::move(found)) : std::nullopt);
  if (spec_of<std::string>(lease_or_empty(), "holderIdentity", "") != options_.identity) return done();
  call_ = client_.update(
      leases(options_.name_space), claim(""), [done = std::move(done)](const Result<json>&) { done(); },
      one_attempt(options_.retry));
}

}  // namespace holdfast::kube
