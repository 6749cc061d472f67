#include "csi-disk/backend/plugin/plugin_server.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <grpcpp/grpcpp.h>
#include <system_error>
#include <utility>

#include "csi-disk/backend/plugin/disk_backend.grpc.pb.h"
#include "csi-disk/backend/plugin/plugin_wire.h"

namespace holdfast::disk {
namespace {

using cloud::Answer;
using cloud::Done;
using grpc::ServerContext;
using grpc::Status;
using Deadline = DiskBackend::Deadline;

constexpr Deadline kLongest{600'000};

// What is left of the caller's; one that set none waits long.
Deadline left_of(const ServerContext& context) {
  const auto left = context.deadline() - std::chrono::system_clock::now();
  return std::clamp(std::chrono::duration_cast<Deadline>(left), Deadline::zero(), kLongest);
}

template <class Response>
Status fail_with(const cloud::CallError& error, Response& response) {
  *response.mutable_failure() = to_wire(error);
  return Status::OK;
}

Status tell(const Done& done, v1::DoneResponse& response) {
  return done ? Status::OK : fail_with(done.error(), response);
}
Status tell(const Answer<std::string>& id, v1::CreatedResponse& response) {
  if (!id) return fail_with(id.error(), response);
  response.set_id(*id);
  return Status::OK;
}
Status tell(const Answer<std::vector<Disk>>& disks, v1::DisksResponse& response) {
  if (!disks) return fail_with(disks.error(), response);
  for (const Disk& each : *disks) *response.add_disks() = to_wire(each);
  return Status::OK;
}
Status tell(const Answer<std::vector<Snapshot>>& snapshots, v1::SnapshotsResponse& response) {
  if (!snapshots) return fail_with(snapshots.error(), response);
  for (const Snapshot& each : *snapshots) *response.add_snapshots() = to_wire(each);
  return Status::OK;
}

std::vector<std::string> texts_of(const google::protobuf::RepeatedPtrField<std::string>& from) {
  return {from.begin(), from.end()};
}

class Service final : public v1::DiskBackend::Service {
 public:
  explicit Service(disk::DiskBackend& backend) : backend_(backend) {}

  Status GetAbilities(ServerContext* /*context*/, const v1::GetAbilitiesRequest* /*request*/,
                      v1::GetAbilitiesResponse* response) override {
    const Abilities abilities = backend_.abilities();
    response->set_create(abilities.create);
    response->set_snapshots(abilities.snapshots);
    response->set_grow(abilities.grow);
    response->set_modify(abilities.modify);
    response->set_tags(abilities.tags);
    response->set_multi_attach(abilities.multi_attach);
    response->set_describe_most(abilities.describe_most);
    return Status::OK;
  }
  Status CreateDisk(ServerContext* context, const v1::CreateDiskRequest* request,
                    v1::CreatedResponse* response) override {
    return tell(backend_.create_disk(from_wire(request->spec()), request->token(), left_of(*context)),
                *response);
  }
  Status DeleteDisk(ServerContext* context, const v1::DeleteRequest* request,
                    v1::DoneResponse* response) override {
    return tell(backend_.delete_disk(request->id(), left_of(*context)), *response);
  }
  Status DescribeDisks(ServerContext* context, const v1::DescribeRequest* request,
                       v1::DisksResponse* response) override {
    const Deadline left = left_of(*context);
    if (!request->name().empty()) return tell(backend_.disks_named(request->name(), left), *response);
    return tell(backend_.disks(texts_of(request->ids()), left), *response);
  }
  Status ListDisks(ServerContext* context, const v1::ListRequest* request,
                   v1::DisksResponse* response) override {
    Answer<Page<Disk>> page = backend_.list_disks(request->from(), request->most(), left_of(*context));
    if (!page) return fail_with(page.error(), *response);
    response->set_next(page->next);
    return tell(std::move(page->items), *response);
  }
  Status AttachDisk(ServerContext* context, const v1::AttachRequest* request,
                    v1::DoneResponse* response) override {
    return tell(backend_.attach_disk(request->disk(), request->node(), left_of(*context)), *response);
  }
  Status DetachDisk(ServerContext* context, const v1::AttachRequest* request,
                    v1::DoneResponse* response) override {
    return tell(backend_.detach_disk(request->disk(), request->node(), left_of(*context)), *response);
  }
  Status GrowDisk(ServerContext* context, const v1::GrowDiskRequest* request,
                  v1::DoneResponse* response) override {
    return tell(backend_.grow_disk(request->disk(), request->gib(), request->token(), left_of(*context)),
                *response);
  }
  Status ModifyDisk(ServerContext* context, const v1::ModifyDiskRequest* request,
                    v1::DoneResponse* response) override {
    return tell(backend_.modify_disk(request->disk(), from_wire(request->performance()), request->token(),
                                     left_of(*context)),
                *response);
  }
  Status TagDisk(ServerContext* context, const v1::TagDiskRequest* request,
                 v1::DoneResponse* response) override {
    return tell(backend_.tag_disk(request->disk(), {request->set().begin(), request->set().end()},
                                  texts_of(request->unset()), left_of(*context)),
                *response);
  }
  Status CreateSnapshot(ServerContext* context, const v1::CreateSnapshotRequest* request,
                        v1::CreatedResponse* response) override {
    return tell(backend_.create_snapshot(from_wire(request->spec()), request->token(), left_of(*context)),
                *response);
  }
  Status DeleteSnapshot(ServerContext* context, const v1::DeleteRequest* request,
                        v1::DoneResponse* response) override {
    return tell(backend_.delete_snapshot(request->id(), left_of(*context)), *response);
  }
  Status DescribeSnapshots(ServerContext* context, const v1::DescribeRequest* request,
                           v1::SnapshotsResponse* response) override {
    const Deadline left = left_of(*context);
    if (!request->name().empty()) return tell(backend_.snapshots_named(request->name(), left), *response);
    return tell(backend_.snapshots(texts_of(request->ids()), left), *response);
  }
  Status ListSnapshots(ServerContext* context, const v1::ListRequest* request,
                       v1::SnapshotsResponse* response) override {
    Answer<Page<Snapshot>> page =
        backend_.list_snapshots(request->disk(), request->from(), request->most(), left_of(*context));
    if (!page) return fail_with(page.error(), *response);
    response->set_next(page->next);
    return tell(std::move(page->items), *response);
  }
  Status DescribeNode(ServerContext* context, const v1::DescribeNodeRequest* request,
                      v1::NodeResponse* response) override {
    const Answer<std::optional<NodeFacts>> facts = backend_.node(request->id(), left_of(*context));
    if (!facts) return fail_with(facts.error(), *response);
    response->set_there(facts->has_value());
    if (!*facts) return Status::OK;
    response->set_zone((*facts)->zone);
    response->set_region((*facts)->region);
    if ((*facts)->attach_limit) response->set_attach_limit(*(*facts)->attach_limit);
    for (const std::string& type : (*facts)->types) response->add_types(type);
    return Status::OK;
  }
  Status GetTypesInStock(ServerContext* context, const v1::GetTypesInStockRequest* request,
                         v1::TypesResponse* response) override {
    const Answer<std::vector<std::string>> types =
        backend_.types_in_stock(request->zone(), left_of(*context));
    if (!types) return fail_with(types.error(), *response);
    for (const std::string& type : *types) response->add_types(type);
    return Status::OK;
  }

 private:
  disk::DiskBackend& backend_;
};

}  // namespace

struct PluginServer::Parts {
  explicit Parts(disk::DiskBackend& backend) : service(backend) {}
  Service service;
  std::unique_ptr<grpc::Server> server;
};

PluginServer::PluginServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

PluginServer::~PluginServer() {
  if (parts_->server == nullptr) return;
  parts_->server->Shutdown(std::chrono::system_clock::now());
  parts_->server->Wait();
}

// The folder keeps others out between bind(2) and chmod(2): it is made for its owner alone when it is not
// there.
Result<std::unique_ptr<PluginServer>> PluginServer::start(DiskBackend& backend,
                                                          const std::filesystem::path& socket) {
  constexpr mode_t kMode = 0600;
  constexpr mode_t kFolderMode = 0700;
  static_cast<void>(::mkdir(socket.parent_path().c_str(), kFolderMode));
  std::error_code error;
  std::filesystem::remove(socket, error);
  auto parts = std::make_unique<Parts>(backend);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket.string(), grpc::InsecureServerCredentials());
  builder.RegisterService(&parts->service);
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr) return fail(Code::kUnavailable, "nothing can listen at " + socket.string());
  std::unique_ptr<PluginServer> server(new PluginServer(std::move(parts)));
  if (::chmod(socket.c_str(), kMode) != 0) return fail_errno(errno, "keep others from " + socket.string());
  return server;
}

}  // namespace holdfast::disk
