#include "cni-flannel/plugin/flannel_plugin.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cni-flannel/plugin/names.h"
#include "common/base/version.h"
#include "common/netlink/link.h"

namespace holdfast::flannel {

namespace {

using cni::CniCode;
using cni::CniResult;
using cni::CniStatus;
using cni::Request;
using cni::to_cni;

constexpr std::size_t kMaxSubnetEnv = 64 * 1024;
// A kubelet waits four minutes for a sandbox to start and two for it to stop. A delegate that hangs in ADD
// and in the DEL behind it, or in DEL, is told of before the runtime is cut off.
constexpr std::chrono::milliseconds kDelegateDeadline{100000};

Attachment attachment_of(const Request& request) {
  return {request.conf.name, request.env.container_id, request.env.ifname};
}

/// A call that takes down, with no lease to render a configuration from. Addresses can be released without
/// knowing any range: their files tell.
BridgeCall call_without_lease(const Request& request, const FlannelConf& conf, DelegateKind kind) {
  BridgeCall call{.attachment = attachment_of(request), .args = request.args, .kind = std::move(kind)};
  call.host_local.ipam = {
      .data_dir = conf.host_local_dir, .state_dir = conf.own.state_dir, .results_dir = conf.own.results_dir};
  return call;
}

/// What the attachment was added as: the network may have got another name since, and what it has is found by
/// the one that it had.
Attachment attachment_saved(const Request& request, const SavedDelegate& saved) {
  Attachment out = attachment_of(request);
  const cni::JsonPart name = cni::member(saved.conf, "name");
  if (name == nullptr || !name->is_string()) return out;
  std::string network = name->get<std::string>();
  if (cni::validate_network_name(network)) out.network = std::move(network);
  return out;
}

CniResult<BridgeCall> bridge_call(const Request& request, const FlannelConf& conf,
                                  const cni::JsonPart& delegate, DelegateKind kind, Attachment attachment) {
  BridgeCall call{.attachment = std::move(attachment),
                  .netns = request.env.netns,
                  .may_be_own_netns = request.env.allows_own_netns(),
                  .args = request.args,
                  .kind = std::move(kind),
                  .delegate = delegate};
  HOLDFAST_TRY(call.bridge, parse_bridge_conf(delegate, request.args));
  if (call.kind.is_host_local()) {
    HOLDFAST_TRY(call.host_local, parse_host_local_conf(delegate, request.args, conf.own));
  }
  return call;
}

void tell(const std::vector<std::string>& notices) {
  for (const std::string& notice : notices) std::fprintf(stderr, "flannel: %s\n", notice.c_str());
}

/// What one call works with beside the plugin itself.
struct Tools {
  nl::Socket host;
  cni::Delegates delegates;
};

CniResult<Tools> open_tools(Executor& executor, const Request& request) {
  HOLDFAST_TRY(nl::Socket host, to_cni(nl::Socket::open()));
  return Tools{std::move(host), cni::Delegates(executor, request.env, kDelegateDeadline)};
}

/// A device of flannel's that is up: the overlay works, whatever is wrong with the lease file.
bool overlay_is_up(nl::Socket& host) {
  const auto links = nl::list_links(host, {.kind = "vxlan"});
  return links && std::ranges::any_of(*links, [](const nl::Link& link) {
           return link.up && link.name.starts_with("flannel");
         });
}

/// Whether the attachment's host link is there, or nobody can tell.
bool may_be_connected(nl::Socket& host, const Attachment& attachment) {
  const auto link = nl::find_link(host, host_link_name(attachment));
  return !link || (*link && (*link)->kind == "veth");
}

}  // namespace

FlannelPlugin::FlannelPlugin(Files& files, Clock& clock, Executor& executor)
    : files_(files), clock_(clock), executor_(executor) {}

std::string FlannelPlugin::about() const {
  return "CNI flannel plugin v" + std::string(version()) +
         R"( of Holdfast: pods keep their addresses over restarts

A container runtime calls it, from its folder of CNI plugins (/opt/cni/bin as a rule), for networks whose
configuration says "type": "flannel". It reads the configuration on standard input, and from the environment
CNI_COMMAND (ADD, DEL, CHECK, GC, STATUS or VERSION), CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH and
CNI_ARGS. Arguments are ignored. To ask by hand whether another pod could be started:

  CNI_COMMAND=STATUS CNI_PATH=/opt/cni/bin flannel <<<'{"cniVersion":"1.1.0","name":"cbr0","type":"flannel"}'
)";
}

CniResult<SubnetEnv> FlannelPlugin::read_lease(const FlannelConf& conf) {
  HOLDFAST_TRY(const auto text, to_cni(files_.read(conf.subnet_file, kMaxSubnetEnv), CniCode::kIo));
  if (!text) {
    return cni::cni_fail(CniCode::kTryAgainLater,
                         "there is no lease yet: " + conf.subnet_file.string() + " is missing",
                         "flanneld writes it when it has a subnet; is flanneld running on this node?");
  }
  auto lease = parse_subnet_env(*text);
  if (!lease) lease = tl::unexpected(std::move(lease).error().within(conf.subnet_file.string()));
  return to_cni(std::move(lease), CniCode::kInvalidConfig);
}

CniResult<cni::JsonPart> FlannelPlugin::render(const Request& request, const FlannelConf& conf) {
  HOLDFAST_TRY(const SubnetEnv lease, read_lease(conf));
  return render_delegate(request.conf, conf, lease);
}

CniResult<cni::AddResult> FlannelPlugin::add(const Request& request) {
  HOLDFAST_TRY(const FlannelConf conf, parse_flannel_conf(request.conf));
  HOLDFAST_TRY(const cni::JsonPart delegate, render(request, conf));
  HOLDFAST_TRY(const DelegateKind kind, kind_of(delegate));
  HOLDFAST_TRY(Tools tools, open_tools(executor_, request));
  const Attachment attachment = attachment_of(request);
  DelegateStore store(files_, conf.data_dir);

  // Decoded before anything is written, so that a bad configuration leaves nothing.
  std::optional<BridgeCall> call;
  if (kind.is_bridge()) {
    HOLDFAST_TRY(call, bridge_call(request, conf, delegate, kind, attachment));
  }
  const Durability durability = kind.in_process() ? Durability::kLazy : Durability::kSynced;
  HOLDFAST_CHECK(
      to_cni(store.save(attachment.container_id, attachment.ifname, delegate, durability), CniCode::kIo));

  BridgeChain chain(files_, clock_, executor_, tools.host, tools.delegates);
  auto added = call ? chain.add(*call) : tools.delegates.add(kind.type, delegate);
  tell(chain.notices());
  // A failed ADD has undone itself; a duplicate ADD must not take the living attachment's configuration away,
  // and the runtime's DEL needs it where a delegate could not be made to let go.
  const bool is_needed =
      tools.delegates.may_hold_something() || (kind.is_bridge() && may_be_connected(tools.host, attachment));
  if (!added && !is_needed) {
    auto saved = store.load(attachment.container_id, attachment.ifname);
    if (saved && *saved) (void)store.remove(**saved, durability);
  }
  return added;
}

CniStatus FlannelPlugin::del_saved(const Request& request, const FlannelConf& conf,
                                   const SavedDelegate& saved) {
  HOLDFAST_TRY(const DelegateKind kind, kind_of(saved.conf));
  HOLDFAST_TRY(Tools tools, open_tools(executor_, request));
  if (!kind.is_bridge())
    return tools.delegates.del(kind.type, cni::with_call_fields(saved.conf, request.conf));
  const cni::JsonPart delegate =
      kind.in_process() ? saved.conf : cni::with_call_fields(saved.conf, request.conf);
  HOLDFAST_TRY(const BridgeCall call,
               bridge_call(request, conf, delegate, kind, attachment_saved(request, saved)));
  BridgeChain chain(files_, clock_, executor_, tools.host, tools.delegates);
  CniStatus done = chain.del(call);
  tell(chain.notices());
  return done;
}

/// Nothing was saved, or what was is torn: names of links are derived and the address files tell the rest, so
/// what this process made itself can be taken down all the same. Another delegate has nothing to go by, as
/// upstream.
CniStatus FlannelPlugin::del_without_saved(const Request& request, const FlannelConf& conf) {
  const cni::JsonPart type = cni::member(conf.delegate, "type");
  if (type && cni::to_text(type) != "\"bridge\"") return {};
  HOLDFAST_TRY(Tools tools, open_tools(executor_, request));
  const BridgeCall call = call_without_lease(request, conf, {.type = "bridge", .ipam_type = "host-local"});
  BridgeChain chain(files_, clock_, executor_, tools.host, tools.delegates);
  CniStatus done = chain.del(call);
  tell(chain.notices());
  return done;
}

CniStatus FlannelPlugin::del(const Request& request) {
  HOLDFAST_TRY(const FlannelConf conf, parse_flannel_conf(request.conf));
  const Attachment attachment = attachment_of(request);
  DelegateStore store(files_, conf.data_dir);
  HOLDFAST_TRY(const auto saved,
               to_cni(store.load(attachment.container_id, attachment.ifname), CniCode::kIo));
  HOLDFAST_CHECK(to_cni(store.drop_unfinished(attachment.container_id, attachment.ifname), CniCode::kIo));
  if (!saved) return del_without_saved(request, conf);
  if (!saved->conf) {
    tell({saved->path.string() + " is damaged (" + saved->defect + "); going on without it"});
    HOLDFAST_CHECK(del_without_saved(request, conf));
  } else {
    HOLDFAST_CHECK(del_saved(request, conf, *saved));
  }
  return to_cni(store.remove(*saved, Durability::kLazy), CniCode::kIo);
}

CniStatus FlannelPlugin::check(const Request& request) {
  HOLDFAST_TRY(const FlannelConf conf, parse_flannel_conf(request.conf));
  HOLDFAST_TRY(const auto previous, cni::decode_prev_result(request.conf));
  if (!previous)
    return cni::cni_fail(CniCode::kInvalidConfig, "prevResult is missing: CHECK compares with it");
  const Attachment attachment = attachment_of(request);
  DelegateStore store(files_, conf.data_dir);
  HOLDFAST_TRY(const auto saved,
               to_cni(store.load(attachment.container_id, attachment.ifname), CniCode::kIo));
  if (!saved || !saved->conf) {
    return cni::cni_fail(CniCode::kUnknownContainer, "no configuration is saved for " +
                                                         attachment.container_id + " " + attachment.ifname);
  }
  HOLDFAST_TRY(const DelegateKind kind, kind_of(saved->conf));
  HOLDFAST_TRY(Tools tools, open_tools(executor_, request));
  const cni::JsonPart delegate = cni::with_call_fields(saved->conf, request.conf);
  if (!kind.is_bridge()) return tools.delegates.check(kind.type, delegate);
  HOLDFAST_TRY(const BridgeCall call, bridge_call(request, conf, delegate, kind, attachment));
  return BridgeChain(files_, clock_, executor_, tools.host, tools.delegates).check(call, *previous);
}

/// Takes down what was saved for attachments that are no longer valid.
void FlannelPlugin::collect_saved(const Request& request, const FlannelConf& conf,
                                  const std::vector<DelegateStore::Stale>& stale, cni::FirstError& errors) {
  DelegateStore store(files_, conf.data_dir);
  for (const DelegateStore::Stale& left : stale) {
    Request del = request;  // a delegate is told whose it is to delete
    del.env.container_id = left.container_id;
    del.env.ifname = left.ifname.empty() ? "eth0" : left.ifname;
    CniStatus done = del_saved(del, conf, left.saved);
    if (done) done = to_cni(store.remove(left.saved, Durability::kLazy), CniCode::kIo);
    if (!done) done.error().msg.insert(0, left.saved.path.string() + ": ");
    errors.add(std::move(done));
  }
}

/// What is left in this process' own stores and rules when there is no saved configuration to go by.
CniStatus FlannelPlugin::collect_bridge(const Request& request, const FlannelConf& conf, DelegateKind kind) {
  HOLDFAST_TRY(Tools tools, open_tools(executor_, request));
  BridgeCall network = call_without_lease(request, conf, std::move(kind));
  network.attachment = {.network = request.conf.name, .container_id = {}, .ifname = {}};
  network.bridge.ip_masq = true;  // it may have been asked for earlier
  std::vector<Attachment> valid;
  for (const cni::ValidAttachment& one : *request.conf.valid_attachments) {
    valid.push_back({request.conf.name, one.container_id, one.ifname});
  }
  BridgeChain chain(files_, clock_, executor_, tools.host, tools.delegates);
  CniStatus done = chain.gc(network, valid);
  tell(chain.notices());
  return done;
}

CniStatus FlannelPlugin::gc(const Request& request) {
  // No list is not an empty list: nothing is known about what is valid.
  if (!request.conf.valid_attachments) return {};
  HOLDFAST_TRY(const FlannelConf conf, parse_flannel_conf(request.conf));
  DelegateStore store(files_, conf.data_dir);
  HOLDFAST_TRY(const auto stale,
               to_cni(store.list_stale(*request.conf.valid_attachments, request.conf.name), CniCode::kIo));
  cni::FirstError errors;
  collect_saved(request, conf, stale, errors);

  DelegateKind kind{.type = "bridge", .ipam_type = "host-local"};
  if (const auto rendered = render(request, conf)) {
    HOLDFAST_TRY(kind, kind_of(*rendered));
    cni::Delegates delegates(executor_, request.env, kDelegateDeadline);
    const cni::JsonPart delegate = cni::with_call_fields(*rendered, request.conf);
    if (!kind.is_bridge()) errors.add(delegates.gc(kind.type, delegate));
    if (kind.is_bridge() && kind.has_ipam() && !kind.is_host_local()) {
      errors.add(delegates.gc(kind.ipam_type, delegate));
    }
  }
  if (kind.is_bridge()) errors.add(collect_bridge(request, conf, kind));
  return errors.result();
}

CniStatus FlannelPlugin::status(const Request& request) {
  HOLDFAST_TRY(const FlannelConf conf, parse_flannel_conf(request.conf));
  HOLDFAST_TRY(Tools tools, open_tools(executor_, request));
  const auto answer = [&]() -> CniStatus {
    auto lease = read_lease(conf);
    // A lease that cannot be used is no fault of the runtime's configuration.
    if (!lease) return cni::cni_fail(CniCode::kNotAvailable, lease.error().msg, lease.error().details);
    HOLDFAST_TRY(const cni::JsonPart delegate, render_delegate(request.conf, conf, *lease));
    HOLDFAST_TRY(const DelegateKind kind, kind_of(delegate));
    if (!kind.is_bridge()) return tools.delegates.status(kind.type, delegate);
    HOLDFAST_TRY(const BridgeCall call, bridge_call(request, conf, delegate, kind, attachment_of(request)));
    return BridgeChain(files_, clock_, executor_, tools.host, tools.delegates).status(call);
  };
  CniStatus done = answer();
  if (done || done.error().code == CniCode::kInvalidConfig) return done;
  cni::CniError error = std::move(done).error();
  const bool is_limited = error.code == CniCode::kNotAvailableAndLimited;  // a delegate says so
  error.code =
      overlay_is_up(tools.host) && !is_limited ? CniCode::kNotAvailable : CniCode::kNotAvailableAndLimited;
  return tl::unexpected(std::move(error));
}

}  // namespace holdfast::flannel
