#include "cni-flannel/ipam/network_session.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cni-flannel/ipam/binding_import.h"
#include "cni-flannel/ipam/pool_usage.h"
#include "common/base/first_error.h"

namespace holdfast::flannel {
namespace {

// Lines a binding, before the log is written anew. ADD waits longer, as it has a caller who wants its pod.
constexpr std::size_t kCompactOnRelease = 2;
constexpr std::size_t kCompactOnAdd = 4;

}  // namespace

NetworkSession::NetworkSession(const Tools& tools, std::string network, std::string boot_id)
    : tools_(tools),
      network_(std::move(network)),
      moment_{std::move(boot_id), tools.clock.now(),
              std::chrono::duration_cast<std::chrono::seconds>(tools.clock.since_boot())},
      addresses_(tools.files, tools.config.data_dir / network_),
      results_(tools.files, tools.config.results_dir),
      log_(tools.files, tools.config.state_dir, network_, tools.notices),
      claims_(addresses_) {}

Status NetworkSession::open(IfAbsent if_absent) {
  HOLDFAST_TRY(lock_, addresses_.lock(if_absent == IfAbsent::kMake));
  if (!lock_) {
    return {};
  }
  HOLDFAST_TRY(listing_, addresses_.list());
  HOLDFAST_TRY(has_log_, log_.load());
  owners_ = std::make_unique<AddressOwners>(AddressOwners::Scene{.files = addresses_,
                                                                 .in_use = listing_.in_use,
                                                                 .bindings = log_.bindings(),
                                                                 .results = results_,
                                                                 .machine = tools_.machine,
                                                                 .network = network_,
                                                                 .boot_id = moment_.boot_id,
                                                                 .uptime = moment_.uptime});
  return {};
}

Status NetworkSession::prepare() {
  for (const std::string& claim : listing_.claims) {
    if (!AddressFiles::is_claim_of(claim, moment_.boot_id)) {
      HOLDFAST_CHECK(addresses_.drop_claim(claim));
    }
  }
  if (has_log_) {
    return {};
  }
  HOLDFAST_TRY(Import import, import_bindings(addresses_, listing_, results_, tools_.machine, network_,
                                              moment_.boot_id, moment_.wall_time));
  if (!import.bindings.empty() || import.bad_files > 0) {
    note("network " + network_ + ": learnt " + std::to_string(import.bindings.size()) +
         " bindings from what the node's plugin left, passed over " + std::to_string(import.bad_files) +
         " bad files");
  }
  has_log_ = true;
  return log_.start(std::move(import.bindings));
}

Status NetworkSession::make_claims(const Attachment& attachment) {
  return claims_.make({attachment.container_id, attachment.ifname}, moment_.boot_id,
                      tools_.config.range_sets.size());
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

Result<Allocation> NetworkSession::allocate(const AllocationRequest& request) {
  const std::optional<PodKey> key = key_of(request);
  const std::vector<IpAddress> mine = find_and_mend_files_of(request.attachment, key);
  HOLDFAST_CHECK(refuse_second_add(request, mine));
  HOLDFAST_TRY(const Decision decision, decide(request, mine));
  Allocation allocation;
  const Binding* before = key ? find_binding(log_.bindings(), *key) : nullptr;
  HOLDFAST_TRY(allocation.stale_host_links, stale_links(before, request, decision));
  HOLDFAST_CHECK(clear_way(decision, mine));
  HOLDFAST_CHECK(take_addresses(request, decision, allocation.stale_host_links));
  remember_last(decision);
  note_failure(log_.compact(kCompactOnAdd));  // the log is longer than it need be, no more
  for (const Choice& choice : decision.choices) {
    allocation.addresses.push_back(choice.assigned);
  }
  allocation.kept = std::ranges::all_of(decision.choices, &Choice::kept);
  return allocation;
}

Result<Decision> NetworkSession::decide(const AllocationRequest& request,
                                        const std::vector<IpAddress>& mine) {
  Situation situation{.config = tools_.config,
                      .request = request,
                      .in_use = listing_.in_use,
                      .mine = mine,
                      .bindings = log_.bindings(),
                      .last_reserved = {},
                      .boot_id = moment_.boot_id,
                      .now = moment_.wall_time,
                      .uptime = moment_.uptime};
  for (std::size_t set = 0; set < tools_.config.range_sets.size(); ++set) {
    situation.last_reserved.push_back(addresses_.last_reserved(set));
  }
  return plan(situation, *owners_);
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
    HOLDFAST_TRY(const std::string claim, addresses_.make_claim(*owner, moment_.boot_id));
    HOLDFAST_CHECK(addresses_.take(address, claim, *owner));
    note("address file " + address.to_string() + " was empty or torn: given back to " + owner->container_id);
  } else {
    std::erase(listing_.in_use, address);
    note("address file " + address.to_string() + " was empty or torn and nobody has the address: removed");
  }
  return {};
}

// The attachment's own files. On the way, files that are empty or torn are mended. One that a worn disk does
// not give or take is told and costs its own address, not every pod's start.
std::vector<IpAddress> NetworkSession::find_and_mend_files_of(const Attachment& attachment,
                                                              const std::optional<PodKey>& own) {
  std::vector<IpAddress> mine;
  for (const IpAddress& address : files_of_no_other_pod(own)) {
    const auto owner = owners_->named_owner(address);
    if (!owner) {
      leave_alone(address, owner.error());
    } else if (!*owner) {
      const Status mended = mend_file(address);
      if (!mended) leave_alone(address, mended.error());
    } else if ((*owner)->is(attachment.container_id, attachment.ifname)) {
      mine.push_back(address);
    }
  }
  return mine;
}

void NetworkSession::leave_alone(const IpAddress& address, const Error& error) {
  note("address " + address.to_string() + " is not given away: " + error.message);
  owners_->leave_alone(address);
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

// The order decides what a kill in between leaves: the pod's binding first, then the file. The other way
// round there would be a file of a sandbox that the log does not know, and the pod would not get its address
// back.
Status NetworkSession::take_addresses(const AllocationRequest& request, const Decision& decision,
                                      const std::vector<std::string>& stale) {
  std::vector<Binding> records =
      records_of_allocation(log_.bindings(), tools_.config, request, decision, moment_);
  if (request.pod) {
    records.back().stale_links = stale;
  }
  for (const std::size_t ended : decision.ended) {
    note("binding of " + describe(log_.bindings()[ended]) + " ends");
  }
  const std::vector<Binding> undo = undo_of(records, log_.bindings());
  if (!records.empty()) {
    HOLDFAST_CHECK(log_.append(std::move(records)));
  }
  Status taken = claims_.take(decision.choices, {request.attachment.container_id, request.attachment.ifname});
  if (!taken && !undo.empty()) {
    note_failure(log_.append(undo));  // leaves a reservation that nobody was told of
  }
  return taken;
}

// For host-local's going round; it only decides which address comes next.
void NetworkSession::remember_last(const Decision& decision) {
  for (std::size_t set = 0; set < decision.choices.size(); ++set) {
    const Choice& choice = decision.choices[set];
    if (!choice.is_mine && !choice.kept) {
      note_failure(addresses_.set_last_reserved(set, choice.assigned.address.address()));
    }
  }
}

// Those that the log knows the attachment by, also when they cannot be read. When none of them is its own,
// all that name it: an id may have been given once with a pod and then without one.
std::vector<IpAddress> NetworkSession::candidate_files_of(const Attachment& attachment) const {
  const Binding* known = binding_of(attachment);
  if (known == nullptr) {
    return listing_.in_use;
  }
  const auto is_own = [&](const IpAddress& address, bool if_unread) {
    const auto owner = owners_->named_owner(address);
    return owner ? *owner && (*owner)->is(attachment.container_id, attachment.ifname) : if_unread;
  };
  std::vector<IpAddress> files;
  std::ranges::copy_if(known->addresses, std::back_inserter(files), [&](const IpAddress& address) {
    return std::ranges::binary_search(listing_.in_use, address) && is_own(address, true);
  });
  if (files.empty()) {
    std::ranges::copy_if(listing_.in_use, std::back_inserter(files),
                         [&](const IpAddress& address) { return is_own(address, false); });
  }
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
  for (const IpAddress& address : candidate_files_of(attachment)) {
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
    note_failure(
        log_.append({marked_absent(*binding, moment_)}));  // without file the pod counts as absent anyway
  }
  note_failure(log_.compact(kCompactOnRelease));
  return errors.result();
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
  return errors.result();
}

Result<std::vector<InUse>> NetworkSession::collect(const std::vector<Attachment>& valid) {
  const OwnerTest is_valid = [&valid](const FileOwner& owner) {
    return std::ranges::any_of(valid, [&owner](const Attachment& attachment) {
      return owner.is(attachment.container_id, attachment.ifname);
    });
  };
  Result<std::vector<InUse>> freed = free_files_of(is_valid);
  FirstError errors;
  if (!freed) {
    errors.add(tl::unexpected(freed.error()));
  }
  errors.add(drop_claims_if(
      [&is_valid](const std::optional<FileOwner>& owner) { return !owner || !is_valid(*owner); }));
  std::vector<Binding> records = records_of_collection(log_.bindings(), tools_.config, valid, moment_);
  if (!records.empty()) {
    note_failure(log_.append(std::move(records)));  // without files the pods count as absent anyway
  }
  note_failure(log_.compact(kCompactOnRelease));
  HOLDFAST_CHECK(errors.result());
  return freed;
}

// Frees what has an owner that is not valid; goes on after an error.
Result<std::vector<InUse>> NetworkSession::free_files_of(const OwnerTest& is_valid) {
  std::vector<InUse> freed;
  FirstError errors;
  const std::vector<IpAddress> files = listing_.in_use;  // mend_file() takes from the listing
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
  HOLDFAST_CHECK(errors.result());
  return freed;
}

InUse NetworkSession::describe_use(const IpAddress& address, const FileOwner& owner) const {
  InUse use{.address = address,
            .container_id = owner.container_id,
            .ifname = owner.ifname,
            .pod = std::nullopt,
            .host_link = ""};
  if (const Binding* binding = owners_->binding_of(owner)) {
    use.pod = Pod{binding->key.name_space, binding->key.name, binding->uid};
    use.host_link = binding->host_link;
  }
  return use;
}

std::vector<InUse> NetworkSession::in_use_by(const Attachment& attachment) {
  std::vector<InUse> uses;
  for (const IpAddress& address : candidate_files_of(attachment)) {
    const auto owner = owners_->named_owner(address);
    if (!owner) {
      note(owner.error().message);
    } else if (*owner && (*owner)->is(attachment.container_id, attachment.ifname)) {
      uses.push_back(describe_use(address, **owner));
    }
  }
  return uses;
}

std::vector<InUse> NetworkSession::all_in_use() {
  std::vector<InUse> uses;
  for (const IpAddress& address : listing_.in_use) {
    const auto owner = owners_->named_owner(address);
    if (!owner) {
      note(owner.error().message);
    } else if (*owner) {
      uses.push_back(describe_use(address, **owner));
    }
  }
  return uses;
}

PoolUsage NetworkSession::usage() const {
  return usage_of(tools_.config, listing_.in_use, log_.bindings(), moment_.boot_id);
}

}  // namespace holdfast::flannel
