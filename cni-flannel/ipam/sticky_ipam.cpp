#include "cni-flannel/ipam/sticky_ipam.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "cni-flannel/ipam/address_files.h"
#include "cni-flannel/ipam/address_owners.h"
#include "cni-flannel/ipam/allocator.h"
#include "cni-flannel/ipam/binding_import.h"
#include "cni-flannel/ipam/binding_log.h"
#include "cni-flannel/ipam/results_cache.h"

namespace holdfast::flannel {
namespace {

// Lines a binding, before the log is written anew. ADD waits longer, as it has a caller who wants its pod.
constexpr std::size_t kCompactOnRelease = 2;
constexpr std::size_t kCompactOnAdd = 4;

bool contains(const std::vector<IpAddress>& sorted, const IpAddress& address) {
  return std::ranges::binary_search(sorted, address);
}

// Goes on after a failure; in the end there is the first one, with how many there were.
class FirstError {
 public:
  void add(const Status& status) {
    if (!status && count_++ == 0) {
      first_ = status.error();
    }
  }
  [[nodiscard]] Status status() const {
    if (count_ == 0) {
      return {};
    }
    Error error = first_;
    if (count_ > 1) {
      error.message += " (and " + std::to_string(count_ - 1) + " more errors)";
    }
    return tl::unexpected(std::move(error));
  }

 private:
  Error first_;
  std::size_t count_ = 0;
};

std::string describe(const Binding& binding) {
  std::string text = binding.key.name_space + "/" + binding.key.name + " (" + binding.key.ifname + ")";
  for (const IpAddress& address : binding.addresses) {
    text += " " + address.to_string();
  }
  return text;
}

std::optional<PodKey> key_of(const AllocationRequest& request) {
  if (!request.pod) {
    return std::nullopt;
  }
  return PodKey{request.pod->name_space, request.pod->name, request.attachment.ifname};
}

}  // namespace

/// One operation on one network: the lock, and what the files said when it was taken.
class StickyIpam::Session {
 public:
  Session(StickyIpam& ipam, std::string network, std::string boot_id)
      : ipam_(ipam),
        network_(std::move(network)),
        boot_id_(std::move(boot_id)),
        addresses_(ipam.files_, ipam.config_.data_dir / network_),
        results_(ipam.files_, ipam.config_.results_dir),
        log_(ipam.files_, ipam.config_.state_dir, network_, ipam.notices_),
        uptime_(std::chrono::duration_cast<std::chrono::seconds>(ipam.clock_.since_boot())),
        now_(ipam.clock_.now()) {}

  AddressFiles& addresses() { return addresses_; }
  BindingLog& log() { return log_; }

  /// Takes the lock and reads. False when there is no such network, and `make` is not set.
  Result<bool> open(bool make) {
    HOLDFAST_TRY(lock_, addresses_.lock(make));
    if (!lock_) {
      return false;
    }
    HOLDFAST_TRY(listing_, addresses_.list());
    HOLDFAST_TRY(has_log_, log_.load());
    owners_ = std::make_unique<AddressOwners>(AddressOwners::Scene{
        addresses_, listing_.in_use, log_.bindings(), results_, ipam_.machine_, network_, boot_id_, uptime_});
    return true;
  }
  void unlock() { lock_.reset(); }

  /// What every change begins with: the log is there, and claims of an earlier boot are not.
  Status prepare() {
    for (const std::string& claim : listing_.claims) {
      if (!AddressFiles::is_claim_of(claim, boot_id_)) {
        HOLDFAST_CHECK(addresses_.drop_claim(claim));
      }
    }
    if (has_log_) {
      return {};
    }
    HOLDFAST_TRY(Import import,
                 import_bindings(addresses_, listing_, results_, ipam_.machine_, network_, boot_id_, now_));
    if (!import.bindings.empty() || import.bad_files > 0) {
      note("network " + network_ + ": learnt " + std::to_string(import.bindings.size()) +
           " bindings from what the node's plugin left, passed over " + std::to_string(import.bad_files) +
           " bad files");
    }
    has_log_ = true;
    return log_.start(std::move(import.bindings));
  }

  Result<Allocation> allocate(const AllocationRequest& request, std::vector<std::string>& claims);
  Status release(const Attachment& attachment);
  Result<std::vector<InUse>> collect(const std::vector<Attachment>& valid);
  Result<std::vector<InUse>> in_use_by(const Attachment& attachment);
  Result<std::vector<InUse>> all_in_use();
  [[nodiscard]] PoolUsage usage() const;

 private:
  void note(std::string text) { ipam_.notices_.push_back(std::move(text)); }

  [[nodiscard]] const Binding* binding_of(const Attachment& attachment) const {
    return owners_->binding_of({attachment.container_id, attachment.ifname});
  }
  [[nodiscard]] const Binding* binding_of(const PodKey& key) const {
    const auto found = std::ranges::find(log_.bindings(), key, &Binding::key);
    return found == log_.bindings().end() ? nullptr : &*found;
  }
  [[nodiscard]] std::vector<IpAddress> files_that_may_be(const Attachment& attachment) const;
  [[nodiscard]] InUse describe_use(const IpAddress& address, const FileOwner& owner) const;

  Status mend_file(const IpAddress& address);
  [[nodiscard]] std::vector<IpAddress> files_of_no_other_pod(const std::optional<PodKey>& own) const;
  Result<std::vector<IpAddress>> addresses_held_by(const AllocationRequest& request,
                                                   const std::optional<PodKey>& own);
  Result<std::vector<std::string>> stale_links(const Binding* before, const AllocationRequest& request,
                                               const Decision& decision);
  std::vector<Binding> records_for(const AllocationRequest& request, const Decision& decision,
                                   const std::vector<std::string>& stale);
  Status clear_way(const Decision& decision, const std::vector<IpAddress>& mine);
  Status take_addresses(const AllocationRequest& request, const Decision& decision,
                        std::vector<std::string>& claims);
  [[nodiscard]] std::vector<Binding> undo_of(const std::vector<Binding>& records) const;
  Binding marked_absent(Binding binding) const;
  void compact(std::size_t factor);
  Status drop_claims_if(const std::vector<Attachment>& owners, bool listed);

  StickyIpam& ipam_;
  std::string network_;
  std::string boot_id_;
  AddressFiles addresses_;
  ResultsCache results_;
  BindingLog log_;
  std::chrono::seconds uptime_;
  std::chrono::sys_seconds now_;
  std::optional<Fd> lock_;
  AddressFiles::Listing listing_;
  bool has_log_ = false;
  std::unique_ptr<AddressOwners> owners_;  // made when the files have been read
};

// ---------------------------------------------------------------------------------------------- allocate

Result<Allocation> StickyIpam::Session::allocate(const AllocationRequest& request,
                                                 std::vector<std::string>& claims) {
  const std::optional<PodKey> key = key_of(request);
  HOLDFAST_TRY(const std::vector<IpAddress> mine, addresses_held_by(request, key));
  Situation situation{ipam_.config_, request, listing_.in_use, mine, log_.bindings(), {}, boot_id_, now_};
  for (std::size_t set = 0; set < ipam_.config_.range_sets.size(); ++set) {
    situation.last_reserved.push_back(addresses_.last_reserved(set));
  }
  HOLDFAST_TRY(const Decision decision, plan(situation, *owners_));
  Allocation allocation;
  HOLDFAST_TRY(allocation.stale_host_links, stale_links(key ? binding_of(*key) : nullptr, request, decision));
  const std::vector<Binding> records = records_for(request, decision, allocation.stale_host_links);

  // The order decides what a kill in between leaves: the pod's binding first, then the file. The other way
  // round there would be a file of a sandbox that the log does not know, and the pod would not get its
  // address back.
  const std::vector<Binding> undo = undo_of(records);
  HOLDFAST_CHECK(clear_way(decision, mine));
  if (!records.empty()) {
    HOLDFAST_CHECK(log_.append(records));
  }
  if (Status taken = take_addresses(request, decision, claims); !taken) {
    if (Status undone = undo.empty() ? Status{} : log_.append(undo); !undone) {
      note(undone.error().message);  // leaves a reservation that nobody was told of
    }
    return tl::unexpected(std::move(taken).error());
  }
  compact(kCompactOnAdd);
  for (const Choice& choice : decision.choices) {
    allocation.addresses.push_back(choice.assigned);
  }
  allocation.kept = std::ranges::all_of(decision.choices, &Choice::kept);
  return allocation;
}

// Files that no binding of another pod names: of the pod itself, of another plugin, of attachments without
// pod. Only these are read on every ADD.
std::vector<IpAddress> StickyIpam::Session::files_of_no_other_pod(const std::optional<PodKey>& own) const {
  std::vector<IpAddress> bound;
  for (const Binding& binding : log_.bindings()) {
    if (!own || binding.key != *own) {
      bound.insert(bound.end(), binding.addresses.begin(), binding.addresses.end());
    }
  }
  std::ranges::sort(bound);
  std::vector<IpAddress> files;
  std::ranges::set_difference(listing_.in_use, bound, std::back_inserter(files));
  return files;
}

// An empty or torn file gets the living owner that has the address, or goes.
Status StickyIpam::Session::mend_file(const IpAddress& address) {
  HOLDFAST_TRY(const auto owner, owners_->living_owner(address));
  HOLDFAST_CHECK(addresses_.remove(address));
  if (owner) {
    HOLDFAST_TRY(const std::string claim, addresses_.make_claim(*owner, boot_id_));
    HOLDFAST_CHECK(addresses_.take(address, claim, *owner));
    note("address file " + address.to_string() + " was empty or torn: given back to " + owner->container_id);
  } else {
    std::erase(listing_.in_use, address);
    note("address file " + address.to_string() + " was empty or torn and nobody has the address: removed");
  }
  return {};
}

Result<std::vector<IpAddress>> StickyIpam::Session::addresses_held_by(const AllocationRequest& request,
                                                                      const std::optional<PodKey>& own) {
  std::vector<IpAddress> held;
  for (const IpAddress& address : files_of_no_other_pod(own)) {
    HOLDFAST_TRY(const auto owner, owners_->named_owner(address));
    if (!owner) {
      HOLDFAST_CHECK(mend_file(address));
    } else if (owner->is(request.attachment.container_id, request.attachment.ifname)) {
      held.push_back(address);
    }
  }
  if (!held.empty()) {
    bool is_alive = request.host_link.empty();
    if (!is_alive) {
      HOLDFAST_TRY(is_alive, ipam_.machine_.link_exists(request.host_link));
    }
    if (is_alive) {
      return fail(Code::kAlreadyExists, held.front().to_string() + " has been allocated to " +
                                            request.attachment.container_id +
                                            ", duplicate allocation is not allowed");
    }
  }
  return held;
}

Result<std::vector<std::string>> StickyIpam::Session::stale_links(const Binding* before,
                                                                  const AllocationRequest& request,
                                                                  const Decision& decision) {
  std::vector<std::string> stale;
  if (before == nullptr || std::ranges::none_of(decision.choices, &Choice::kept)) {
    return stale;
  }
  std::vector<std::string> earlier = before->stale_links;
  earlier.push_back(before->host_link);
  for (const std::string& link : earlier) {
    if (link.empty() || link == request.host_link) {
      continue;
    }
    HOLDFAST_TRY(const bool exists, ipam_.machine_.link_exists(link));
    if (exists) {
      stale.push_back(link);
    }
  }
  return stale;
}

std::vector<Binding> StickyIpam::Session::records_for(const AllocationRequest& request,
                                                      const Decision& decision,
                                                      const std::vector<std::string>& stale) {
  std::vector<Binding> records;
  for (std::size_t i = 0; i < log_.bindings().size(); ++i) {
    const Binding& binding = log_.bindings()[i];
    const bool has_ended = std::ranges::binary_search(decision.ended, i);
    if (has_ended) {
      records.push_back(binding);
      records.back().state = BindingState::kEnded;
      note("binding of " + describe(binding) + " ends");
    } else if (ipam_.config_.binding_ttl && binding.state == BindingState::kPresent &&
               binding.boot_id != boot_id_) {
      records.push_back(marked_absent(binding));  // its age counts from the first time we know it is absent
    }
  }
  if (!request.pod) {
    return records;
  }
  Binding own;
  own.key = *key_of(request);
  own.uid = request.pod->uid;
  own.container_id = request.attachment.container_id;
  own.boot_id = boot_id_;
  own.host_link = request.host_link;
  own.stale_links = stale;
  own.wall_time = now_;
  own.uptime = uptime_;
  std::ranges::transform(decision.choices, std::back_inserter(own.addresses),
                         [](const Choice& choice) { return choice.assigned.address.address(); });
  records.push_back(std::move(own));
  return records;
}

Status StickyIpam::Session::clear_way(const Decision& decision, const std::vector<IpAddress>& mine) {
  for (const Choice& choice : decision.choices) {
    if (choice.replaces) {
      HOLDFAST_CHECK(addresses_.remove(choice.assigned.address.address()));
    }
  }
  for (const IpAddress& address : mine) {
    if (std::ranges::none_of(decision.choices, [&](const Choice& choice) {
          return choice.assigned.address.address() == address;
        })) {
      HOLDFAST_CHECK(addresses_.remove(address));
    }
  }
  return {};
}

Status StickyIpam::Session::take_addresses(const AllocationRequest& request, const Decision& decision,
                                           std::vector<std::string>& claims) {
  const FileOwner owner{request.attachment.container_id, request.attachment.ifname};
  std::vector<IpAddress> taken;
  for (std::size_t set = 0; set < decision.choices.size(); ++set) {
    const Choice& choice = decision.choices[set];
    const IpAddress address = choice.assigned.address.address();
    if (choice.is_mine) {
      continue;
    }
    if (Status done = addresses_.take(address, claims.back(), owner); !done) {
      for (const IpAddress& earlier : taken) {
        static_cast<void>(addresses_.remove(earlier));
      }
      return done;
    }
    claims.pop_back();
    taken.push_back(address);
    if (!choice.kept) {
      if (Status turned = addresses_.set_last_reserved(set, address); !turned) {
        note(turned.error().message);  // only decides which address comes next
      }
    }
  }
  return {};
}

// The records that bring the log back to what it says now.
std::vector<Binding> StickyIpam::Session::undo_of(const std::vector<Binding>& records) const {
  std::vector<Binding> undo;
  for (const Binding& record : records) {
    const Binding* now = binding_of(record.key);
    undo.push_back(now == nullptr ? record : *now);
    if (now == nullptr) {
      undo.back().state = BindingState::kEnded;
    }
  }
  return undo;
}

void StickyIpam::Session::compact(std::size_t factor) {
  if (Status done = log_.compact(factor); !done) {
    note(done.error().message);  // the log is longer than it need be, no more
  }
}

Binding StickyIpam::Session::marked_absent(Binding binding) const {
  binding.state = BindingState::kAbsent;
  binding.boot_id = boot_id_;
  binding.wall_time = now_;
  binding.uptime = uptime_;
  return binding;
}

// ---------------------------------------------------------------------------------------------- release,
// collect

// All files are read unless the log knows the attachment: then only those can be its own.
std::vector<IpAddress> StickyIpam::Session::files_that_may_be(const Attachment& attachment) const {
  const Binding* known = binding_of(attachment);
  if (known == nullptr) {
    return listing_.in_use;
  }
  std::vector<IpAddress> files;
  std::ranges::copy_if(known->addresses, std::back_inserter(files),
                       [this](const IpAddress& address) { return contains(listing_.in_use, address); });
  return files;
}

Status StickyIpam::Session::release(const Attachment& attachment) {
  FirstError errors;
  for (const IpAddress& address : files_that_may_be(attachment)) {
    const auto owner = owners_->named_owner(address);
    if (!owner) {
      errors.add(tl::unexpected(owner.error()));
    } else if (*owner && (*owner)->is(attachment.container_id, attachment.ifname)) {
      errors.add(addresses_.remove(address));
    }
  }
  errors.add(drop_claims_if({attachment}, true));
  const Binding* binding = binding_of(attachment);
  if (binding != nullptr && binding->state == BindingState::kPresent) {
    if (Status marked = log_.append({marked_absent(*binding)}); !marked) {
      note(marked.error().message);  // the address has no file, so the pod counts as absent
    }
  }
  compact(kCompactOnRelease);
  return errors.status();
}

// Claims are not in a network's way; only a killed ADD leaves one.
Status StickyIpam::Session::drop_claims_if(const std::vector<Attachment>& owners, bool listed) {
  FirstError errors;
  for (const std::string& claim : listing_.claims) {
    const auto owner = addresses_.claim_owner(claim);
    const bool is_listed = owner && *owner && std::ranges::any_of(owners, [&](const Attachment& attachment) {
                             return (*owner)->is(attachment.container_id, attachment.ifname);
                           });
    if (is_listed == listed) {
      errors.add(addresses_.drop_claim(claim));
    }
  }
  return errors.status();
}

Result<std::vector<InUse>> StickyIpam::Session::collect(const std::vector<Attachment>& valid) {
  const auto is_valid = [&valid](const FileOwner& owner) {
    return std::ranges::any_of(valid, [&owner](const Attachment& attachment) {
      return owner.is(attachment.container_id, attachment.ifname);
    });
  };
  std::vector<InUse> freed;
  FirstError errors;
  const std::vector<IpAddress> files = listing_.in_use;
  for (const IpAddress& address : files) {
    const auto owner = owners_->named_owner(address);
    if (!owner) {
      errors.add(tl::unexpected(owner.error()));
    } else if (!*owner) {
      errors.add(mend_file(address));
    } else if (!is_valid(**owner)) {
      const Status removed = addresses_.remove(address);
      errors.add(removed);
      if (removed) {
        freed.push_back(describe_use(address, **owner));
      }
    }
  }
  errors.add(drop_claims_if(valid, false));
  std::vector<Binding> records;
  for (const Binding& binding : log_.bindings()) {
    const bool was_present =
        binding.state == BindingState::kPresent && (binding.boot_id == boot_id_ || ipam_.config_.binding_ttl);
    if (was_present && !is_valid({binding.container_id, binding.key.ifname})) {
      records.push_back(marked_absent(binding));
    }
  }
  if (!records.empty()) {
    if (Status marked = log_.append(std::move(records)); !marked) {
      note(marked.error().message);  // the addresses have no file, so the pods count as absent
    }
  }
  compact(kCompactOnRelease);
  HOLDFAST_CHECK(errors.status());
  return freed;
}

// ---------------------------------------------------------------------------------------------- questions

InUse StickyIpam::Session::describe_use(const IpAddress& address, const FileOwner& owner) const {
  InUse use{address, owner.container_id, owner.ifname, std::nullopt, ""};
  if (const Binding* binding = owners_->binding_of(owner)) {
    use.pod = Pod{binding->key.name_space, binding->key.name, binding->uid};
    use.host_link = binding->host_link;
  }
  return use;
}

Result<std::vector<InUse>> StickyIpam::Session::in_use_by(const Attachment& attachment) {
  std::vector<InUse> uses;
  for (const IpAddress& address : files_that_may_be(attachment)) {
    HOLDFAST_TRY(const auto owner, owners_->named_owner(address));
    if (owner && owner->is(attachment.container_id, attachment.ifname)) {
      uses.push_back(describe_use(address, *owner));
    }
  }
  return uses;
}

Result<std::vector<InUse>> StickyIpam::Session::all_in_use() {
  std::vector<InUse> uses;
  for (const IpAddress& address : listing_.in_use) {
    HOLDFAST_TRY(const auto owner, owners_->named_owner(address));
    if (owner) {
      uses.push_back(describe_use(address, *owner));
    }
  }
  return uses;
}

PoolUsage StickyIpam::Session::usage() const {
  std::optional<PoolUsage> tightest;
  for (const RangeSet& set : ipam_.config_.range_sets) {
    const auto is_usable = [&](const IpAddress& address) {
      return usable_range(set, ipam_.config_.reserved, address) != nullptr;
    };
    PoolUsage usage;
    usage.size = size_of(set, ipam_.config_.reserved);
    usage.used = static_cast<std::uint64_t>(std::ranges::count_if(listing_.in_use, is_usable));
    for (const Binding& binding : log_.bindings()) {
      for (const IpAddress& address : binding.addresses) {
        const bool has_file = contains(listing_.in_use, address);
        const bool is_of_this_boot = binding.boot_id.empty() || binding.boot_id == boot_id_;
        if (is_usable(address) && !(has_file && is_of_this_boot)) {
          usage.bound += 1;
          usage.used -= std::min<std::uint64_t>(usage.used, has_file ? 1 : 0);
        }
      }
    }
    if (!tightest || usage.size - usage.used < tightest->size - tightest->used) {
      tightest = usage;
    }
  }
  return tightest.value_or(PoolUsage{});
}

// ---------------------------------------------------------------------------------------------- StickyIpam

StickyIpam::StickyIpam(Files& files, Machine& machine, Clock& clock, IpamConfig config)
    : files_(files), machine_(machine), clock_(clock), config_(std::move(config)) {}

Result<Allocation> StickyIpam::allocate(const AllocationRequest& request) {
  if (config_.range_sets.empty()) {
    return fail(Code::kInvalidArgument, "no IP ranges specified");
  }
  HOLDFAST_TRY(const std::string boot_id, machine_.boot_id());
  Session session(*this, request.attachment.network, boot_id);
  std::vector<std::string> claims;
  const auto allocate_locked = [&]() -> Result<Allocation> {
    for (std::size_t i = 0; i < config_.range_sets.size(); ++i) {
      HOLDFAST_TRY(std::string claim,
                   session.addresses().make_claim(
                       {request.attachment.container_id, request.attachment.ifname}, boot_id));
      claims.push_back(std::move(claim));
    }
    HOLDFAST_CHECK(session.open(true));
    HOLDFAST_CHECK(session.prepare());
    return session.allocate(request, claims);
  };
  Result<Allocation> allocation = allocate_locked();
  session.unlock();
  for (const std::string& claim : claims) {
    static_cast<void>(session.addresses().drop_claim(claim));
  }
  if (allocation && request.pod) {
    if (Status synced = session.log().sync(); !synced) {
      static_cast<void>(release(request.attachment));
      return tl::unexpected(std::move(synced).error());
    }
  }
  return allocation;
}

Status StickyIpam::release(const Attachment& attachment) {
  HOLDFAST_TRY(const std::string boot_id, machine_.boot_id());
  Session session(*this, attachment.network, boot_id);
  HOLDFAST_TRY(const bool is_there, session.open(false));
  if (!is_there) {
    return {};
  }
  HOLDFAST_CHECK(session.prepare());
  return session.release(attachment);
}

Result<std::vector<InUse>> StickyIpam::collect(const std::string& network,
                                               const std::vector<Attachment>& valid) {
  HOLDFAST_TRY(const std::string boot_id, machine_.boot_id());
  Session session(*this, network, boot_id);
  HOLDFAST_TRY(const bool is_there, session.open(false));
  if (!is_there) {
    return std::vector<InUse>{};
  }
  HOLDFAST_CHECK(session.prepare());
  return session.collect(valid);
}

Result<bool> StickyIpam::holds(const Attachment& attachment, const std::vector<IpAddress>& addresses) {
  AddressFiles files(files_, config_.data_dir / attachment.network);
  for (const IpAddress& address : addresses) {
    HOLDFAST_TRY(const auto content, files.content(address));
    const auto owner = content ? parse_owner(*content) : std::nullopt;
    if (!owner || !owner->is(attachment.container_id, attachment.ifname)) {
      return false;
    }
  }
  return true;
}

Result<std::vector<InUse>> StickyIpam::addresses_of(const Attachment& attachment) {
  HOLDFAST_TRY(const std::string boot_id, machine_.boot_id());
  Session session(*this, attachment.network, boot_id);
  HOLDFAST_TRY(const bool is_there, session.open(false));
  return is_there ? session.in_use_by(attachment) : Result<std::vector<InUse>>();
}

Result<std::vector<InUse>> StickyIpam::all_in_use(const std::string& network) {
  HOLDFAST_TRY(const std::string boot_id, machine_.boot_id());
  Session session(*this, network, boot_id);
  HOLDFAST_TRY(const bool is_there, session.open(false));
  return is_there ? session.all_in_use() : Result<std::vector<InUse>>();
}

Result<PoolUsage> StickyIpam::usage(const std::string& network) {
  HOLDFAST_TRY(const std::string boot_id, machine_.boot_id());
  Session session(*this, network, boot_id);
  HOLDFAST_CHECK(session.open(false));
  return session.usage();
}

}  // namespace holdfast::flannel
