#pragma once

#include "csi-disk/backend/disk_backend.h"
#include "csi-disk/backend/plugin/disk_backend.pb.h"

namespace holdfast::disk {

/// DiskBackend's values as the plugin's messages, and back. What a message lacks is empty.
[[nodiscard]] v1::Failure to_wire(const cloud::CallError& error);
[[nodiscard]] v1::DiskSpec to_wire(const DiskSpec& spec);
[[nodiscard]] v1::Performance to_wire(const Performance& performance);
[[nodiscard]] v1::Disk to_wire(const Disk& disk);
[[nodiscard]] v1::SnapshotSpec to_wire(const SnapshotSpec& spec);
[[nodiscard]] v1::Snapshot to_wire(const Snapshot& snapshot);

/// An end that is not known is kUnknownOutcome.
[[nodiscard]] cloud::CallError from_wire(const v1::Failure& failure);
[[nodiscard]] DiskSpec from_wire(const v1::DiskSpec& spec);
[[nodiscard]] Performance from_wire(const v1::Performance& performance);
[[nodiscard]] Disk from_wire(const v1::Disk& disk);
[[nodiscard]] SnapshotSpec from_wire(const v1::SnapshotSpec& spec);
[[nodiscard]] Snapshot from_wire(const v1::Snapshot& snapshot);

}  // namespace holdfast::disk
