#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/cloud/call_error.h"

namespace holdfast::nas {

/// A file system to be made.
struct FileSystemSpec {
  std::string label;          ///< by which it is found again: unique, 2..128 letters, digits, '-', ' '
  std::string type;           ///< "standard" or "extreme"
  std::string storage;        ///< "Performance", "Capacity", "Premium"; of extreme "standard", "advance"
  std::string zone = {};      ///< empty: the cloud's choice
  std::string snapshot = {};  ///< what it is made from; extreme alone
  bool encrypted = false;
  std::uint64_t gib = 0;  ///< of extreme; a standard one grows by itself
};

struct FileSystem {
  std::string id;
  std::string label;
  std::uint64_t gib = 0;  ///< 0: not bounded
};

/// Where a file system is mounted from.
struct MountTargetSpec {
  std::string file_system;
  std::string network = "Vpc";  ///< or "Classic"
  std::string vpc = {};
  std::string vswitch = {};
  std::string access_group = "DEFAULT_VPC_GROUP_NAME";
};

struct MountTarget {
  std::string domain;
  bool active = false;
};

/// A directory of a file system as a server of its own.
struct AccessPointSpec {
  std::string file_system;
  std::string name;  ///< by which it is found again
  std::string root;  ///< "/pvc-1", made when it is not there
  std::string vpc;
  std::string vswitch;
  std::string access_group = "DEFAULT_VPC_GROUP_NAME";
  std::uint32_t owner = 0;  ///< user and group of a directory that is made
  std::uint32_t group = 0;
};

struct AccessPoint {
  std::string id;
  std::string name;
  std::string root;
  std::string domain;
  bool active = false;
};

/// A cloud's NAS. Every call has a deadline (of each exchange: a list may take several) and ends as
/// cloud::CallEnd says; those that make something are told apart by a token: the same one has its effect
/// once. Where the cloud takes none (mount targets, access points), the caller looks for what is there before
/// it asks again. Thread-safe.
class NasBackend {
 public:
  using Deadline = std::chrono::milliseconds;
  template <class T>
  using Answer = cloud::Answer<T>;

  NasBackend() = default;
  NasBackend(const NasBackend&) = delete;
  NasBackend& operator=(const NasBackend&) = delete;
  virtual ~NasBackend() = default;

  /// The new one's id.
  virtual Answer<std::string> create_file_system(const FileSystemSpec& spec, const std::string& token,
                                                 Deadline deadline) = 0;
  /// All of the region whose label is this one; there may be none.
  virtual Answer<std::vector<FileSystem>> file_systems(const std::string& label, Deadline deadline) = 0;
  /// Of type extreme.
  virtual cloud::Done grow_file_system(const std::string& id, std::uint64_t gib, const std::string& token,
                                       Deadline deadline) = 0;
  /// Its mount targets go before it. One that is not there is deleted.
  virtual cloud::Done delete_file_system(const std::string& id, Deadline deadline) = 0;

  virtual cloud::Done create_mount_target(const MountTargetSpec& spec, Deadline deadline) = 0;
  /// Errors: kNoSuchThing for the file system.
  virtual Answer<std::vector<MountTarget>> mount_targets(const std::string& file_system,
                                                         Deadline deadline) = 0;
  virtual cloud::Done delete_mount_target(const std::string& file_system, const std::string& domain,
                                          Deadline deadline) = 0;

  virtual cloud::Done create_access_point(const AccessPointSpec& spec, Deadline deadline) = 0;
  /// Those of that name. Errors: kNoSuchThing for the file system.
  virtual Answer<std::vector<AccessPoint>> access_points(const std::string& file_system,
                                                         const std::string& name, Deadline deadline) = 0;
  virtual cloud::Done delete_access_point(const std::string& file_system, const std::string& id,
                                          Deadline deadline) = 0;

  /// Bounds a directory; setting the same again changes nothing.
  virtual cloud::Done set_quota(const std::string& file_system, const std::string& path, std::uint64_t gib,
                                Deadline deadline) = 0;
  virtual cloud::Done cancel_quota(const std::string& file_system, const std::string& path,
                                   Deadline deadline) = 0;
};

}  // namespace holdfast::nas
