#include "cni-flannel/ipam/network_session.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cni-flannel/ipam/binding_import.h"

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

NetworkSession::NetworkSession(const Tools& tools, std::string network, std::string boot_id)
    : tools_(tools),
      network_(std::move(network)),
      boot_id_(std::move(boot_id)),
      uptime_(std::chrono::duration_cast<std::chrono::seconds>(tools.clock.since_boot())),
      now_(tools.clock.now()),
      addresses_(tools.files, tools.config.data_dir / network_),
      results_(tools.files, tools.config.results_dir),
      log_(tools.files, tools.config.state_dir, network_, tools.notices) {}

Status NetworkSession::open(IfAbsent if_absent) {
  HOLDFAST_TRY(lock_, addresses_.lock(if_absent == IfAbsent::kMake));
  if (!lock_) {
    return {};
  }
  HOLDFAST_TRY(listing_, addresses_.list());
  HOLDFAST_TRY(has_log_, log_.load());
  owners_ = std::make_unique<AddressOwners>(AddressOwners::Scene{
      addresses_, listing_.in_use, log_.bindings(), results_, tools_.machine, network_, boot_id_, uptime_});
  return {};
}

Status NetworkSession::prepare() {
  for (const std::string& claim : listing_.claims) {
    if (!AddressFiles::is_claim_of(claim, boot_id_)) {
      HOLDFAST_CHECK(addresses_.drop_claim(claim));
    }
  }
  if (has_log_) {
    return {};
  }
  HOLDFAST_TRY(Import import,
               import_bindings(addresses_, listing_, results_, tools_.machine, network_, boot_id_, now_));
  if (!import.bindings.empty() || import.bad_files > 0) {
    note("network " + network_ + ": learnt " + std::to_string(import.bindings.size()) +
         " bindings from what the node's plugin left, passed over " + std::to_string(import.bad_files) +
         " bad files");
  }
  has_log_ = true;
  return log_.start(std::move(import.bindings));
}

Status NetworkSession::make_claims(const Attachment& attachment) {
  for (std::size_t i = 0; i < tools_.config.range_sets.size(); ++i) {
    HOLDFAST_TRY(std::string claim,
                 addresses_.make_claim({attachment.container_id, attachment.ifname}, boot_id_));
    claims_.push_back(std::move(claim));
  }
  return {};
}

void NetworkSession::drop_unused_claims() {
  for (const std::string& claim : claims_) {
    static_cast<void>(addresses_.drop_claim(claim));
  }
  claims_.clear();
}

// For what goes wrong beside the operation and does not make it fail.
void NetworkSession::note_failure(const Status& status) {
  if (!status) {
    note(status.error().message);
  }
}

const Binding* NetworkSession::binding_of(const Attachment& attachment) const {
  return owners_->binding_of({attachment.container_id, attachment.ifname});
}

const Binding* NetworkSession::binding_of(const PodKey& key) const {
  const auto found = std::ranges::find(log_.bindings(), key, &Binding::key);
  return found == log_.bindings().end() ? nullptr : &*found;
}

Result<Allocation> NetworkSession::allocate(const AllocationRequest& request) {
  const std::optional<PodKey> key = key_of(request);
  HOLDFAST_TRY(const std::vector<IpAddress> mine, mended_files_of(request.attachment, key));
  HOLDFAST_CHECK(refuse_second_add(request, mine));
  Situation situation{tools_.config, request, listing_.in_use, mine, log_.bindings(), {},
                      boot_id_,      now_,    uptime_};
  for (std::size_t set = 0; set < tools_.config.range_sets.size(); ++set) {
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
  if (Status taken = take_addresses(request, decision); !taken) {
    if (!undo.empty()) {
      note_failure(log_.append(undo));  // leaves a reservation that nobody was told of
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
std::vector<IpAddress> NetworkSession::files_of_no_other_pod(const std::optional<PodKey>& own) const {
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
Status NetworkSession::mend_file(const IpAddress& address) {
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

// The attachment's own files. On the way, files that are empty or torn are mended.
Result<std::vector<IpAddress>> NetworkSession::mended_files_of(const Attachment& attachment,
                                                               const std::optional<PodKey>& own) {
  std::vector<IpAddress> mine;
  for (const IpAddress& address : files_of_no_other_pod(own)) {
    HOLDFAST_TRY(const auto owner, owners_->named_owner(address));
    if (!owner) {
      HOLDFAST_CHECK(mend_file(address));
    } else if (owner->is(attachment.container_id, attachment.ifname)) {
      mine.push_back(address);
    }
  }
  return mine;
}

// An attachment whose link is up has had its ADD; one without link is an ADD that was killed, and goes on.
Status NetworkSession::refuse_second_add(const AllocationRequest& request,
                                         const std::vector<IpAddress>& mine) {
  if (mine.empty()) {
    return {};
  }
  bool is_alive = request.host_link.empty();
  if (!is_alive) {
    HOLDFAST_TRY(is_alive, tools_.machine.link_exists(request.host_link));
  }
  if (!is_alive) {
    return {};
  }
  return fail(Code::kAlreadyExists, mine.front().to_string() + " has been allocated to " +
                                        request.attachment.container_id +
                                        ", duplicate allocation is not allowed");
}

Result<std::vector<std::string>> NetworkSession::stale_links(const Binding* before,
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
    HOLDFAST_TRY(const bool exists, tools_.machine.link_exists(link));
    if (exists) {
      stale.push_back(link);
    }
  }
  return stale;
}

std::vector<Binding> NetworkSession::records_for(const AllocationRequest& request, const Decision& decision,
                                                 const std::vector<std::string>& stale) {
  std::vector<Binding> records;
  for (std::size_t i = 0; i < log_.bindings().size(); ++i) {
    const Binding& binding = log_.bindings()[i];
    const bool has_ended = std::ranges::binary_search(decision.ended, i);
    if (has_ended) {
      records.push_back(binding);
      records.back().state = BindingState::kEnded;
      note("binding of " + describe(binding) + " ends");
    } else if (tools_.config.binding_ttl && binding.state == BindingState::kPresent &&
               binding.boot_id != boot_id_) {
      records.push_back(marked_absent(binding));  // its age counts from the first time we know it is absent
    }
  }
  if (request.pod) {
    records.push_back(record_of(request, decision));
    records.back().stale_links = stale;
  }
  return records;
}

// What the log will say of the pod.
Binding NetworkSession::record_of(const AllocationRequest& request, const Decision& decision) const {
  Binding own;
  own.key = *key_of(request);
  own.uid = request.pod->uid;
  own.container_id = request.attachment.container_id;
  own.boot_id = boot_id_;
  own.host_link = request.host_link;
  own.wall_time = now_;
  own.uptime = uptime_;
  std::ranges::transform(decision.choices, std::back_inserter(own.addresses),
                         [](const Choice& choice) { return choice.assigned.address.address(); });
  return own;
}

// Removes the files of owners that give way, and the attachment's own ones that it does not keep.
Status NetworkSession::clear_way(const Decision& decision, const std::vector<IpAddress>& mine) {
  for (const Choice& choice : decision.choices) {
    if (choice.replaces) {
      HOLDFAST_CHECK(addresses_.remove(choice.assigned.address.address()));
    }
  }
  for (const IpAddress& address : mine) {
    const auto is_it = [&](const Choice& choice) { return choice.assigned.address.address() == address; };
    if (std::ranges::none_of(decision.choices, is_it)) {
      HOLDFAST_CHECK(addresses_.remove(address));
    }
  }
  return {};
}

// Gives the claims their addresses: all, or none.
Status NetworkSession::take_addresses(const AllocationRequest& request, const Decision& decision) {
  const FileOwner owner{request.attachment.container_id, request.attachment.ifname};
  std::vector<IpAddress> taken;
  for (std::size_t set = 0; set < decision.choices.size(); ++set) {
    const Choice& choice = decision.choices[set];
    const IpAddress address = choice.assigned.address.address();
    if (choice.is_mine) {
      continue;
    }
    if (Status done = addresses_.take(address, claims_.back(), owner); !done) {
      for (const IpAddress& earlier : taken) {
        static_cast<void>(addresses_.remove(earlier));
      }
      return done;
    }
    claims_.pop_back();
    taken.push_back(address);
    if (!choice.kept) {
      note_failure(addresses_.set_last_reserved(set, address));  // only decides which address comes next
    }
  }
  return {};
}

// The records that bring the log back to what it says now.
std::vector<Binding> NetworkSession::undo_of(const std::vector<Binding>& records) const {
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

void NetworkSession::compact(std::size_t factor) {
  note_failure(log_.compact(factor));  // the log is longer than it need be, no more
}

Binding NetworkSession::marked_absent(Binding binding) const {
  binding.state = BindingState::kAbsent;
  binding.boot_id = boot_id_;
  binding.wall_time = now_;
  binding.uptime = uptime_;
  return binding;
}

// All files are read unless the log knows the attachment: then only those can be its own.
std::vector<IpAddress> NetworkSession::files_that_may_be(const Attachment& attachment) const {
  const Binding* known = binding_of(attachment);
  if (known == nullptr) {
    return listing_.in_use;
  }
  std::vector<IpAddress> files;
  std::ranges::copy_if(known->addresses, std::back_inserter(files),
                       [this](const IpAddress& address) { return contains(listing_.in_use, address); });
  return files;
}

Status NetworkSession::undo(const Attachment& attachment, const std::string& host_link) {
  HOLDFAST_TRY(const bool has_won, tools_.machine.link_exists(host_link));
  if (has_won) {
    return {};
  }
  return release(attachment);
}

Status NetworkSession::release(const Attachment& attachment) {
  FirstError errors;
  for (const IpAddress& address : files_that_may_be(attachment)) {
    const auto owner = owners_->named_owner(address);
    if (!owner) {
      errors.add(tl::unexpected(owner.error()));
    } else if (*owner && (*owner)->is(attachment.container_id, attachment.ifname)) {
      errors.add(addresses_.remove(address));
    }
  }
  errors.add(drop_claims_if([&attachment](const std::optional<FileOwner>& owner) {
    return owner && owner->is(attachment.container_id, attachment.ifname);
  }));
  const Binding* binding = binding_of(attachment);
  if (binding != nullptr && binding->state == BindingState::kPresent) {
    note_failure(log_.append({marked_absent(*binding)}));  // without file the pod counts as absent anyway
  }
  compact(kCompactOnRelease);
  return errors.status();
}

// Claims of this boot; only a killed ADD leaves one. They are in nobody's way.
Status NetworkSession::drop_claims_if(const ClaimTest& is_due) {
  FirstError errors;
  for (const std::string& claim : listing_.claims) {
    const auto owner = addresses_.claim_owner(claim);
    if (is_due(owner.value_or(std::nullopt))) {
      errors.add(addresses_.drop_claim(claim));
    }
  }
  return errors.status();
}

Result<std::vector<InUse>> NetworkSession::collect(const std::vector<Attachment>& valid) {
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
  errors.add(drop_claims_if(
      [&is_valid](const std::optional<FileOwner>& owner) { return !owner || !is_valid(*owner); }));
  std::vector<Binding> records;
  for (const Binding& binding : log_.bindings()) {
    const bool was_present =
        binding.state == BindingState::kPresent && (binding.boot_id == boot_id_ || tools_.config.binding_ttl);
    if (was_present && !is_valid({binding.container_id, binding.key.ifname})) {
      records.push_back(marked_absent(binding));
    }
  }
  if (!records.empty()) {
    note_failure(log_.append(std::move(records)));  // without files the pods count as absent anyway
  }
  compact(kCompactOnRelease);
  HOLDFAST_CHECK(errors.status());
  return freed;
}

InUse NetworkSession::describe_use(const IpAddress& address, const FileOwner& owner) const {
  InUse use{address, owner.container_id, owner.ifname, std::nullopt, ""};
  if (const Binding* binding = owners_->binding_of(owner)) {
    use.pod = Pod{binding->key.name_space, binding->key.name, binding->uid};
    use.host_link = binding->host_link;
  }
  return use;
}

Result<std::vector<InUse>> NetworkSession::in_use_by(const Attachment& attachment) {
  std::vector<InUse> uses;
  for (const IpAddress& address : files_that_may_be(attachment)) {
    HOLDFAST_TRY(const auto owner, owners_->named_owner(address));
    if (owner && owner->is(attachment.container_id, attachment.ifname)) {
      uses.push_back(describe_use(address, *owner));
    }
  }
  return uses;
}

Result<std::vector<InUse>> NetworkSession::all_in_use() {
  std::vector<InUse> uses;
  for (const IpAddress& address : listing_.in_use) {
    HOLDFAST_TRY(const auto owner, owners_->named_owner(address));
    if (owner) {
      uses.push_back(describe_use(address, *owner));
    }
  }
  return uses;
}

PoolUsage NetworkSession::usage() const {
  std::optional<PoolUsage> tightest;
  for (const RangeSet& set : tools_.config.range_sets) {
    const PoolUsage usage = usage_of(set);
    if (!tightest || usage.size - usage.used < tightest->size - tightest->used) {
      tightest = usage;
    }
  }
  return tightest.value_or(PoolUsage{});
}

// A file counts as used, unless the log tells that its owner is of an earlier boot.
PoolUsage NetworkSession::usage_of(const RangeSet& set) const {
  const auto is_usable = [&](const IpAddress& address) {
    return usable_range(set, tools_.config.reserved, address) != nullptr;
  };
  PoolUsage usage;
  usage.size = size_of(set, tools_.config.reserved);
  usage.used = static_cast<std::uint64_t>(std::ranges::count_if(listing_.in_use, is_usable));
  for (const Binding& binding : log_.bindings()) {
    const bool is_of_this_boot = binding.boot_id.empty() || binding.boot_id == boot_id_;
    for (const IpAddress& address : binding.addresses) {
      const bool has_file = contains(listing_.in_use, address);
      if (is_usable(address) && !(has_file && is_of_this_boot)) {
        usage.bound += 1;
        usage.used -= std::min<std::uint64_t>(usage.used, has_file ? 1 : 0);
      }
    }
  }
  return usage;
}

}  // namespace holdfast::flannel
