#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace holdfast::disk {

/// What clouds take as the name of a disk or snapshot: a letter first, then letters, digits and "._-", 2..60
/// bytes. Source: ECS CreateDisk (DiskName), CBS CreateDisks (DiskName, at most 60 bytes).
[[nodiscard]] bool is_cloud_name(std::string_view name);

/// The name that the cloud gets for what CSI calls `name`, of up to 128 bytes of any characters: as it is
/// where clouds take it, else "csi-" and a hash, also for a name that begins so: two names do not get the
/// same one. A `cluster` is told where the cloud keeps no tags that could tell two clusters' volumes apart;
/// it is in the hash then.
[[nodiscard]] std::string disk_name_of(std::string_view name, std::string_view cluster = {});

/// The name of the snapshot through which a disk of that name is made from another disk's content.
[[nodiscard]] std::string clone_snapshot_name(std::string_view disk_name);
/// The name of the snapshot that is taken before that disk is deleted, of this deletion (kDeletionTag).
[[nodiscard]] std::string last_snapshot_name(std::string_view disk_id, std::string_view deletion);

/// An idempotency token: the same for the same parts, another for others. 40 hex digits.
/// Source: ECS takes up to 64 ASCII characters, CBS 64 bytes.
[[nodiscard]] std::string token_of(std::initializer_list<std::string_view> parts);

/// Whether `id` can be one of the cloud's: what the profile's handles begin with, and nothing but letters,
/// digits and "._-". One that cannot is not asked for.
[[nodiscard]] bool is_id(std::string_view id, std::string_view prefix);

}  // namespace holdfast::disk
