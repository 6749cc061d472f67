#include "cni-flannel/ipam/sticky_ipam.h"

#include <utility>

#include "cni-flannel/ipam/network_session.h"

namespace holdfast::flannel {

StickyIpam::StickyIpam(Files& files, Machine& machine, Clock& clock, IpamConfig config)
    : files_(files), machine_(machine), clock_(clock), config_(std::move(config)) {}

Result<std::unique_ptr<NetworkSession>> StickyIpam::make_session(const std::string& network) {
  HOLDFAST_TRY(std::string boot_id, machine_.boot_id());
  const NetworkSession::Tools tools{files_, machine_, clock_, config_, notices_};
  return std::make_unique<NetworkSession>(tools, network, std::move(boot_id));
}

Result<std::unique_ptr<NetworkSession>> StickyIpam::open_session(const std::string& network) {
  HOLDFAST_TRY(auto session, make_session(network));
  HOLDFAST_CHECK(session->open(NetworkSession::IfAbsent::kLeave));
  return session;
}

Result<Allocation> StickyIpam::allocate(const AllocationRequest& request) {
  if (config_.range_sets.empty()) {
    return fail(Code::kInvalidArgument, "no IP ranges specified");
  }
  HOLDFAST_TRY(const auto session, make_session(request.attachment.network));
  const auto allocate_locked = [&]() -> Result<Allocation> {
    HOLDFAST_CHECK(session->make_claims(request.attachment));
    HOLDFAST_CHECK(session->open(NetworkSession::IfAbsent::kMake));
    HOLDFAST_CHECK(session->prepare());
    return session->allocate(request);
  };
  Result<Allocation> allocation = allocate_locked();
  session->unlock();
  session->drop_unused_claims();
  if (allocation && request.pod) {
    if (Status synced = session->sync_log(); !synced) {
      static_cast<void>(undo(request.attachment, request.host_link));
      return tl::unexpected(std::move(synced).error());
    }
  }
  return allocation;
}

Status StickyIpam::release(const Attachment& attachment) {
  HOLDFAST_TRY(const auto session, open_session(attachment.network));
  if (!session->is_there()) {
    return {};
  }
  HOLDFAST_CHECK(session->prepare());
  return session->release(attachment);
}

Status StickyIpam::undo(const Attachment& attachment, const std::string& host_link) {
  HOLDFAST_TRY(const auto session, open_session(attachment.network));
  if (!session->is_there()) {
    return {};
  }
  HOLDFAST_CHECK(session->prepare());
  return session->undo(attachment, host_link);
}

Result<std::vector<InUse>> StickyIpam::collect(const std::string& network,
                                               const std::vector<Attachment>& valid) {
  HOLDFAST_TRY(const auto session, open_session(network));
  if (!session->is_there()) {
    return std::vector<InUse>{};
  }
  HOLDFAST_CHECK(session->prepare());
  return session->collect(valid);
}

Result<bool> StickyIpam::holds(const Attachment& attachment, const std::vector<IpAddress>& addresses) {
  AddressFiles files(files_, config_.data_dir / attachment.network);
  HOLDFAST_TRY(const std::optional<Fd> lock, files.lock(false));
  if (!lock) {
    return addresses.empty();
  }
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
  HOLDFAST_TRY(const auto session, open_session(attachment.network));
  return session->is_there() ? session->in_use_by(attachment) : Result<std::vector<InUse>>();
}

Result<std::vector<InUse>> StickyIpam::all_in_use(const std::string& network) {
  HOLDFAST_TRY(const auto session, open_session(network));
  return session->is_there() ? session->all_in_use() : Result<std::vector<InUse>>();
}

Result<PoolUsage> StickyIpam::usage(const std::string& network) {
  HOLDFAST_TRY(const auto session, open_session(network));
  return session->usage();
}

}  // namespace holdfast::flannel
