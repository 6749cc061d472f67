#include "csi-disk/backend/plugin/plugin_disks.h"

#include <grpcpp/grpcpp.h>
#include <utility>

#include "csi-disk/backend/plugin/disk_backend.grpc.pb.h"
#include "csi-disk/backend/plugin/plugin_wire.h"

namespace holdfast::disk {

using cloud::Answer;
using cloud::CallEnd;
using cloud::Done;

struct PluginDisks::Stub {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::DiskBackend::Stub> calls;
};

namespace {

template <class Response>
Done done_of(const Answer<Response>& answer) {
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

// A message that a call answers, or its failure.
template <class Response>
Answer<Response> checked(Response response) {
  if constexpr (requires { response.has_failure(); }) {
    if (response.has_failure()) return tl::unexpected(from_wire(response.failure()));
  }
  return response;
}

Answer<std::string> id_of(const Answer<v1::CreatedResponse>& answer) {
  if (!answer) return tl::unexpected(answer.error());
  if (!answer->id().empty()) return answer->id();
  return cloud::ends(CallEnd::kUnknownOutcome, "the plugin's answer has no id");
}

template <class T, class Wire>
std::vector<T> all_of(const Wire& items) {
  std::vector<T> out;
  for (const auto& each : items) out.push_back(from_wire(each));
  return out;
}

v1::DescribeRequest by_ids(const std::vector<std::string>& ids) {
  v1::DescribeRequest request;
  for (const std::string& id : ids) request.add_ids(id);
  return request;
}
v1::DescribeRequest by_name(const std::string& name) {
  v1::DescribeRequest request;
  request.set_name(name);
  return request;
}
v1::ListRequest page(const std::string& disk, const std::string& from, std::uint32_t most) {
  v1::ListRequest request;
  request.set_disk(disk);
  request.set_from(from);
  request.set_most(most);
  return request;
}
v1::AttachRequest attachment(const std::string& disk, const std::string& node) {
  v1::AttachRequest request;
  request.set_disk(disk);
  request.set_node(node);
  return request;
}
v1::DeleteRequest deletion(const std::string& id) {
  v1::DeleteRequest request;
  request.set_id(id);
  return request;
}

}  // namespace

PluginDisks::PluginDisks(std::unique_ptr<Stub> stub) : stub_(std::move(stub)) {}
PluginDisks::~PluginDisks() = default;

// What a plugin that is not there never got is told as such.
template <class Method, class Request, class Response>
Answer<Response> PluginDisks::call(const char* name, Method method, const Request& request, Response response,
                                   Deadline deadline) {
  const std::string what = std::string(name) + " of the plugin: ";
  if (deadline <= Deadline::zero()) return cloud::ends(CallEnd::kNotSent, what + "no time is left for it");
  const auto end = std::chrono::system_clock::now() + deadline;
  if (!stub_->channel->WaitForConnected(end)) {
    return cloud::ends(CallEnd::kNotSent, what + "nobody answers at its socket: start it");
  }
  grpc::ClientContext context;
  context.set_deadline(end);
  const grpc::Status status = (stub_->calls.get()->*method)(&context, request, &response);
  if (status.ok()) return checked(std::move(response));
  const bool refused = status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
  return cloud::ends(refused ? CallEnd::kRefused : CallEnd::kUnknownOutcome, what + status.error_message(),
                     refused ? "InvalidAction.Unimplemented" : "");
}

Result<std::unique_ptr<PluginDisks>> PluginDisks::connect(const std::filesystem::path& socket,
                                                          Deadline patience) {
  auto stub = std::make_unique<Stub>();
  stub->channel = grpc::CreateChannel("unix:" + socket.string(), grpc::InsecureChannelCredentials());
  stub->calls = v1::DiskBackend::NewStub(stub->channel);
  std::unique_ptr<PluginDisks> plugin(new PluginDisks(std::move(stub)));
  const Answer<v1::GetAbilitiesResponse> told =
      plugin->call("GetAbilities", &v1::DiskBackend::Stub::GetAbilities, v1::GetAbilitiesRequest{},
                   v1::GetAbilitiesResponse{}, patience);
  if (!told) return fail(Code::kUnavailable, socket.string() + ": " + told.error().message);
  if (told->describe_most() == 0) {
    return fail(Code::kInvalidArgument,
                socket.string() + ": the plugin can describe no disk (describe_most is 0)");
  }
  plugin->abilities_ = {.create = told->create(),
                        .snapshots = told->snapshots(),
                        .grow = told->grow(),
                        .modify = told->modify(),
                        .tags = told->tags(),
                        .multi_attach = told->multi_attach(),
                        .describe_most = told->describe_most()};
  return plugin;
}

Answer<std::string> PluginDisks::create_disk(const DiskSpec& spec, const std::string& token,
                                             Deadline deadline) {
  v1::CreateDiskRequest request;
  *request.mutable_spec() = to_wire(spec);
  request.set_token(token);
  return id_of(
      call("CreateDisk", &v1::DiskBackend::Stub::CreateDisk, request, v1::CreatedResponse{}, deadline));
}
Done PluginDisks::delete_disk(const std::string& id, Deadline deadline) {
  return done_of(
      call("DeleteDisk", &v1::DiskBackend::Stub::DeleteDisk, deletion(id), v1::DoneResponse{}, deadline));
}
Answer<std::vector<Disk>> PluginDisks::disks(const std::vector<std::string>& ids, Deadline deadline) {
  if (ids.empty()) return std::vector<Disk>{};
  HOLDFAST_TRY(const v1::DisksResponse response, call("DescribeDisks", &v1::DiskBackend::Stub::DescribeDisks,
                                                      by_ids(ids), v1::DisksResponse{}, deadline));
  return all_of<Disk>(response.disks());
}
Answer<std::vector<Disk>> PluginDisks::disks_named(const std::string& name, Deadline deadline) {
  HOLDFAST_TRY(const v1::DisksResponse response, call("DescribeDisks", &v1::DiskBackend::Stub::DescribeDisks,
                                                      by_name(name), v1::DisksResponse{}, deadline));
  return all_of<Disk>(response.disks());
}
Answer<Page<Disk>> PluginDisks::list_disks(const std::string& from, std::uint32_t most, Deadline deadline) {
  HOLDFAST_TRY(const v1::DisksResponse response, call("ListDisks", &v1::DiskBackend::Stub::ListDisks,
                                                      page("", from, most), v1::DisksResponse{}, deadline));
  return Page<Disk>{.items = all_of<Disk>(response.disks()), .next = response.next()};
}
Done PluginDisks::attach_disk(const std::string& disk, const std::string& node, Deadline deadline) {
  return done_of(call("AttachDisk", &v1::DiskBackend::Stub::AttachDisk, attachment(disk, node),
                      v1::DoneResponse{}, deadline));
}
Done PluginDisks::detach_disk(const std::string& disk, const std::string& node, Deadline deadline) {
  return done_of(call("DetachDisk", &v1::DiskBackend::Stub::DetachDisk, attachment(disk, node),
                      v1::DoneResponse{}, deadline));
}
Done PluginDisks::grow_disk(const std::string& disk, std::uint64_t gib, const std::string& token,
                            Deadline deadline) {
  v1::GrowDiskRequest request;
  request.set_disk(disk);
  request.set_gib(gib);
  request.set_token(token);
  return done_of(call("GrowDisk", &v1::DiskBackend::Stub::GrowDisk, request, v1::DoneResponse{}, deadline));
}
Done PluginDisks::modify_disk(const std::string& disk, const Performance& performance,
                              const std::string& token, Deadline deadline) {
  v1::ModifyDiskRequest request;
  request.set_disk(disk);
  *request.mutable_performance() = to_wire(performance);
  request.set_token(token);
  return done_of(
      call("ModifyDisk", &v1::DiskBackend::Stub::ModifyDisk, request, v1::DoneResponse{}, deadline));
}
Done PluginDisks::tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                           Deadline deadline) {
  v1::TagDiskRequest request;
  request.set_disk(disk);
  for (const auto& [key, value] : set) (*request.mutable_set())[key] = value;
  for (const std::string& key : unset) request.add_unset(key);
  return done_of(call("TagDisk", &v1::DiskBackend::Stub::TagDisk, request, v1::DoneResponse{}, deadline));
}
Answer<std::string> PluginDisks::create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                                 Deadline deadline) {
  v1::CreateSnapshotRequest request;
  *request.mutable_spec() = to_wire(spec);
  request.set_token(token);
  return id_of(call("CreateSnapshot", &v1::DiskBackend::Stub::CreateSnapshot, request, v1::CreatedResponse{},
                    deadline));
}
Done PluginDisks::delete_snapshot(const std::string& id, Deadline deadline) {
  return done_of(call("DeleteSnapshot", &v1::DiskBackend::Stub::DeleteSnapshot, deletion(id),
                      v1::DoneResponse{}, deadline));
}
Answer<std::vector<Snapshot>> PluginDisks::snapshots(const std::vector<std::string>& ids, Deadline deadline) {
  if (ids.empty()) return std::vector<Snapshot>{};
  HOLDFAST_TRY(const v1::SnapshotsResponse response,
               call("DescribeSnapshots", &v1::DiskBackend::Stub::DescribeSnapshots, by_ids(ids),
                    v1::SnapshotsResponse{}, deadline));
  return all_of<Snapshot>(response.snapshots());
}
Answer<std::vector<Snapshot>> PluginDisks::snapshots_named(const std::string& name, Deadline deadline) {
  HOLDFAST_TRY(const v1::SnapshotsResponse response,
               call("DescribeSnapshots", &v1::DiskBackend::Stub::DescribeSnapshots, by_name(name),
                    v1::SnapshotsResponse{}, deadline));
  return all_of<Snapshot>(response.snapshots());
}
Answer<Page<Snapshot>> PluginDisks::list_snapshots(const std::string& disk, const std::string& from,
                                                   std::uint32_t most, Deadline deadline) {
  HOLDFAST_TRY(const v1::SnapshotsResponse response,
               call("ListSnapshots", &v1::DiskBackend::Stub::ListSnapshots, page(disk, from, most),
                    v1::SnapshotsResponse{}, deadline));
  return Page<Snapshot>{.items = all_of<Snapshot>(response.snapshots()), .next = response.next()};
}
Answer<std::optional<NodeFacts>> PluginDisks::node(const std::string& id, Deadline deadline) {
  v1::DescribeNodeRequest request;
  request.set_id(id);
  HOLDFAST_TRY(const v1::NodeResponse response, call("DescribeNode", &v1::DiskBackend::Stub::DescribeNode,
                                                     request, v1::NodeResponse{}, deadline));
  if (!response.there()) return std::optional<NodeFacts>{};
  NodeFacts facts{.id = id,
                  .zone = response.zone(),
                  .region = response.region(),
                  .types = {response.types().begin(), response.types().end()}};
  if (response.has_attach_limit()) facts.attach_limit = response.attach_limit();
  return std::optional(std::move(facts));
}
Answer<std::vector<std::string>> PluginDisks::types_in_stock(const std::string& zone, Deadline deadline) {
  v1::GetTypesInStockRequest request;
  request.set_zone(zone);
  HOLDFAST_TRY(const v1::TypesResponse response,
               call("GetTypesInStock", &v1::DiskBackend::Stub::GetTypesInStock, request, v1::TypesResponse{},
                    deadline));
  return std::vector<std::string>(response.types().begin(), response.types().end());
}

}  // namespace holdfast::disk
