#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/block/encryption.h"
#include "common/block/filesystem.h"
#include "common/block/format_decision.h"
#include "common/block/whole_proof.h"

namespace holdfast::block {

/// Where the provenance of one volume is kept, so that it outlives us: tags of LVM, or of a cloud's disk.
class ProvenanceRecord {
 public:
  ProvenanceRecord() = default;
  ProvenanceRecord(const ProvenanceRecord&) = delete;
  ProvenanceRecord& operator=(const ProvenanceRecord&) = delete;
  virtual ~ProvenanceRecord() = default;

  /// Durable when it returns.
  virtual Status write(const Provenance& provenance) = 0;
};

/// A volume that is about to be mounted.
struct PrepareRequest {
  std::string volume;     ///< for the sentences
  std::string device;     ///< "/dev/vg/pvc-1"
  Provenance provenance;  ///< as its record tells it now
  std::string fs_type;    ///< that is wanted; "" for ext4
  std::vector<std::string> mkfs_options;
  bool format_if_blank = true;
  bool omit_fsck = false;
  bool read_only = false;
  bool legacy = false;  ///< FileSystemSpec
  /// Not empty: the device is encrypted, and clear at clear_path(mapping) when it is prepared.
  std::string mapping;
  std::string passphrase;  ///< of an encrypted one
  bool raw = false;        ///< of an encrypted one: no file system is made within, nor looked for
};

/// Brings a volume to where it can be mounted: proves what is on it, makes its file system when there is none
/// and there never was, checks it. The tests' one of a driver only remembers.
class VolumePreparer {
 public:
  VolumePreparer() = default;
  VolumePreparer(const VolumePreparer&) = delete;
  VolumePreparer& operator=(const VolumePreparer&) = delete;
  virtual ~VolumePreparer() = default;

  /// The type to mount; "" of a raw one. Errors: those of decide_format(), kAborted while the whole device is
  /// read (ask again, and it goes on as WholeProof does), kInvalidArgument for the type or an option, and
  /// those of look_at(), FileSystems, DiskEncryption and the record. `cancelled` is asked while the device is
  /// read.
  virtual Result<std::string> prepare(const PrepareRequest& request, ProvenanceRecord& record,
                                      std::chrono::milliseconds deadline,
                                      const std::function<bool()>& cancelled) = 0;
};

/// The real one. The record is ahead of the deed:
///
///     new --record: formatting--> mkfs --record: formatted:<uuid>--> (mounted)
///
/// so that after a cut at any point the same call goes on, and nothing that was mounted once is ever
/// formatted. Of an encrypted device the uuid is that of its encryption, and mkfs is encrypting it, opening
/// it and making the file system within: what opens has one, and is never formatted within. May be used from
/// any thread; one volume at a time needs the caller's hold.
class Preparer final : public VolumePreparer {
 public:
  /// Both outlive it.
  Preparer(FileSystems& file_systems, DiskEncryption& encryption)
      : file_systems_(file_systems), encryption_(encryption) {}
  Result<std::string> prepare(const PrepareRequest& request, ProvenanceRecord& record,
                              std::chrono::milliseconds deadline,
                              const std::function<bool()>& cancelled) override;

 private:
  Result<FormatDecision> decide(const PrepareRequest& request, FsType type,
                                const std::function<bool()>& cancelled);
  Result<Content> whole_content(const PrepareRequest& request, const std::function<bool()>& cancelled);
  Status format(const PrepareRequest& request, FsType type, ProvenanceRecord& record,
                std::chrono::milliseconds deadline);
  Status encrypt(const PrepareRequest& request, const std::string& uuid, std::chrono::milliseconds deadline);
  Result<std::string> open(const PrepareRequest& request, FsType type, std::chrono::milliseconds deadline);
  Result<std::string> check(const PrepareRequest& request, const std::string& device,
                            const std::string& fs_type, std::chrono::milliseconds deadline);

  FileSystems& file_systems_;
  DiskEncryption& encryption_;
  WholeProof proof_;
};

}  // namespace holdfast::block
