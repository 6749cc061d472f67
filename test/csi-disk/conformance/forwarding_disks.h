#pragma once

#include "csi-disk/backend/disk_backend.h"

namespace holdfast::disk {

/// A backend that does what another does. Those who break a promise override one call.
class ForwardingDisks : public DiskBackend {
 public:
  explicit ForwardingDisks(DiskBackend& real) : inner(real) {}

  [[nodiscard]] Abilities abilities() const override { return inner.abilities(); }
  Answer<std::string> create_disk(const DiskSpec& spec, const std::string& token,
                                  Deadline deadline) override {
    return inner.create_disk(spec, token, deadline);
  }
  Done delete_disk(const std::string& id, Deadline deadline) override {
    return inner.delete_disk(id, deadline);
  }
  Answer<std::vector<Disk>> disks(const std::vector<std::string>& ids, Deadline deadline) override {
    return inner.disks(ids, deadline);
  }
  Answer<std::vector<Disk>> disks_named(const std::string& name, Deadline deadline) override {
    return inner.disks_named(name, deadline);
  }
  Answer<Page<Disk>> list_disks(const std::string& from, std::uint32_t most, Deadline deadline) override {
    return inner.list_disks(from, most, deadline);
  }
  Done attach_disk(const std::string& disk, const std::string& node, Deadline deadline) override {
    return inner.attach_disk(disk, node, deadline);
  }
  Done detach_disk(const std::string& disk, const std::string& node, Deadline deadline) override {
    return inner.detach_disk(disk, node, deadline);
  }
  Done grow_disk(const std::string& disk, std::uint64_t gib, const std::string& token,
                 Deadline deadline) override {
    return inner.grow_disk(disk, gib, token, deadline);
  }
  Done modify_disk(const std::string& disk, const Performance& performance, const std::string& token,
                   Deadline deadline) override {
    return inner.modify_disk(disk, performance, token, deadline);
  }
  Done tag_disk(const std::string& disk, const Tags& set, const std::vector<std::string>& unset,
                Deadline deadline) override {
    return inner.tag_disk(disk, set, unset, deadline);
  }
  Answer<std::string> create_snapshot(const SnapshotSpec& spec, const std::string& token,
                                      Deadline deadline) override {
    return inner.create_snapshot(spec, token, deadline);
  }
  Done delete_snapshot(const std::string& id, Deadline deadline) override {
    return inner.delete_snapshot(id, deadline);
  }
  Answer<std::vector<Snapshot>> snapshots(const std::vector<std::string>& ids, Deadline deadline) override {
    return inner.snapshots(ids, deadline);
  }
  Answer<std::vector<Snapshot>> snapshots_named(const std::string& name, Deadline deadline) override {
    return inner.snapshots_named(name, deadline);
  }
  Answer<Page<Snapshot>> list_snapshots(const std::string& disk, const std::string& from, std::uint32_t most,
                                        Deadline deadline) override {
    return inner.list_snapshots(disk, from, most, deadline);
  }
  Answer<std::optional<NodeFacts>> node(const std::string& id, Deadline deadline) override {
    return inner.node(id, deadline);
  }
  Answer<std::vector<std::string>> types_in_stock(const std::string& zone, Deadline deadline) override {
    return inner.types_in_stock(zone, deadline);
  }

  DiskBackend& inner;
};

}  // namespace holdfast::disk
