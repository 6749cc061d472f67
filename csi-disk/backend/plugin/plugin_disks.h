#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// DiskBackend by a plugin: another process that serves csi-disk/backend/plugin/disk_backend.proto on a UNIX
/// socket. One that is not there, or that ends during a call, is connected to again by the next call. An
/// answer by another gRPC status than OK is kUnknownOutcome; UNIMPLEMENTED is kRefused. Thread-safe.
class PluginDisks final : public DiskBackend {
 public:
  /// Asks the plugin what it can do, which holds for as long as this lives. Errors: kUnavailable when there
  /// is no plugin at `socket` that answers within `patience`; kInvalidArgument when it can describe no disk.
  static Result<std::unique_ptr<PluginDisks>> connect(const std::filesystem::path& socket, Deadline patience);
  PluginDisks(const PluginDisks&) = delete;
  PluginDisks& operator=(const PluginDisks&) = delete;
  ~PluginDisks() override;

  [[nodiscard]] Abilities abilities() const override { return abilities_; }
  Answer<std::string> create_disk(const DiskSpec& spec, const std::string& token, Deadline deadline) override;
  Done delete_disk(const std::string& id, Deadline deadline) override;
  Answer<std::vector<Disk>> disks(const std::vector<std::string>& ids, Deadline deadline) override;
  Answer<std::vector<Disk>> disks_named(const std::string& name, Deadline deadline) override;
  Answer<Page<Disk>> list_disks(const std::string& from, std::uint32_t most, Deadline deadline) override;
  Done attach_disk(const std::string& disk, const std::string& node, Deadline deadline) override;
  Done detach_disk(const std::string& disk, const std::string& node, Deadline deadline) override;
  Done grow_disk(const std::string& disk, std::uint64_t gib, const std::string& token,
                 Deadline deadline) override;
  Done modify_disk(const std::string& disk, const Performance& performance, const std::string& token,
                   Deadline deadline) override;
  Done tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                Deadline deadline) override;
  Answer<std::string> create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                      Deadline deadline) override;
  Done delete_snapshot(const std::string& id, Deadline deadline) override;
  Answer<std::vector<Snapshot>> snapshots(const std::vector<std::string>& ids, Deadline deadline) override;
  Answer<std::vector<Snapshot>> snapshots_named(const std::string& name, Deadline deadline) override;
  Answer<Page<Snapshot>> list_snapshots(const std::string& disk, const std::string& from, std::uint32_t most,
                                        Deadline deadline) override;
  Answer<std::optional<NodeFacts>> node(const std::string& id, Deadline deadline) override;
  Answer<std::vector<std::string>> types_in_stock(const std::string& zone, Deadline deadline) override;

 private:
  struct Stub;  // gRPC's headers are large
  template <class Method, class Request, class Response>
  Answer<Response> call(const char* name, Method method, const Request& request, Response response,
                        Deadline deadline);
  explicit PluginDisks(std::unique_ptr<Stub> stub);

  std::unique_ptr<Stub> stub_;
  Abilities abilities_;
};

}  // namespace holdfast::disk
