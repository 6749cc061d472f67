#include "common/block/preparer.h"

#include <memory>
#include <utility>

#include "common/block/allow_format.h"
#include "common/block/blank_proof.h"
#include "common/block/block_device.h"

namespace holdfast::block {
namespace {

Result<Content> content_of(const std::string& device_path) {
  HOLDFAST_TRY(const auto device, SystemBlockDevice::open(device_path, Access::kRead));
  return look_at(*device);
}

// A sentence may be read when the kernel's name is another disk's.
std::string name_of(const std::string& device_path) {
  const auto device = DeviceDirectory().identify(device_path);
  return device ? lasting_name(device_path, *device) : device_path;
}

FormatDecision decide_on(const PrepareRequest& request, std::string_view type, Content content) {
  return decide_format({.volume = request.volume,
                        .device = name_of(request.device),
                        .fs_type = std::string(type),
                        .provenance = request.provenance,
                        .content = std::move(content),
                        .format_if_blank = request.format_if_blank,
                        .read_only = request.read_only});
}

}  // namespace

Result<std::string> Preparer::prepare(const PrepareRequest& request, ProvenanceRecord& record,
                                      std::chrono::milliseconds deadline,
                                      const std::function<bool()>& cancelled) {
  HOLDFAST_TRY(const FsType type, parse_fs_type(request.fs_type));
  // What was made with an option that is refused since then is still mounted.
  const Status checked = check_mkfs_options(type, request.mkfs_options);
  const Provenance::Kind known = request.provenance.kind;
  const bool to_make = known == Provenance::Kind::kNew || known == Provenance::Kind::kFormatting;
  if (to_make) HOLDFAST_CHECK(checked);
  HOLDFAST_TRY(FormatDecision decision, decide(request, type, cancelled));
  if (auto* refused = std::get_if<Refuse>(&decision)) return tl::unexpected(std::move(refused->error));
  if (std::holds_alternative<Format>(decision)) {
    HOLDFAST_CHECK(checked);
    HOLDFAST_CHECK(format(request, type, record, deadline));
    return request.raw ? std::string() : std::string(to_string(type));
  }
  if (const auto* mount = std::get_if<Mount>(&decision)) {
    return request.mapping.empty() ? check(request, request.device, mount->fs_type, deadline)
                                   : open(request, type, deadline);
  }
  return fail(Code::kInternal, "volume " + request.volume + ": the whole device was read and proves nothing");
}

Result<FormatDecision> Preparer::decide(const PrepareRequest& request, FsType type,
                                        const std::function<bool()>& cancelled) {
  const std::string_view wanted = request.mapping.empty() ? to_string(type) : kEncryptedType;
  HOLDFAST_TRY(Content content, content_of(request.device));
  FormatDecision decision = decide_on(request, wanted, std::move(content));
  if (!std::holds_alternative<NeedWholeDeviceProof>(decision)) return decision;
  HOLDFAST_TRY(Content whole, whole_content(request, cancelled));
  return decide_on(request, wanted, std::move(whole));
}

Result<std::string> Preparer::check(const PrepareRequest& request, const std::string& device,
                                    const std::string& fs_type, std::chrono::milliseconds deadline) {
  const auto found = parse_fs_type(fs_type);
  if (found && wants_check(*found, request.omit_fsck, request.read_only)) {
    HOLDFAST_CHECK(file_systems_.check(device, *found, deadline));
  }
  return fs_type;
}

Result<std::string> Preparer::open(const PrepareRequest& request, FsType type,
                                   std::chrono::milliseconds deadline) {
  HOLDFAST_CHECK(encryption_.open(request.device, request.mapping, request.passphrase, deadline));
  if (request.raw) return std::string();
  const std::string clear = clear_path(request.mapping);
  HOLDFAST_TRY(Content content, content_of(clear));
  PrepareRequest within = request;
  within.provenance = {};
  within.format_if_blank = false;
  FormatDecision decision = decide_on(within, to_string(type), std::move(content));
  if (auto* refused = std::get_if<Refuse>(&decision)) return tl::unexpected(std::move(refused->error));
  const auto* mount = std::get_if<Mount>(&decision);
  if (mount == nullptr)
    return fail(Code::kInternal, clear + ": nothing is formatted within an encrypted volume");
  return check(request, clear, mount->fs_type, deadline);
}

Result<Content> Preparer::whole_content(const PrepareRequest& request,
                                        const std::function<bool()>& cancelled) {
  HOLDFAST_TRY(const auto device, SystemBlockDevice::open(request.device, Access::kRead));
  const dev_t number = device->number();
  HOLDFAST_TRY(ZeroScan scan, proof_.go_on(
                                  *device, [number] { return life_of(number); }, cancelled));
  if (scan.found) return std::move(*scan.found);
  return fail(Code::kAborted, "volume " + request.volume +
                                  " is being read to prove that it is empty: " + std::to_string(scan.next) +
                                  " of " + std::to_string(device->size_bytes()) + " bytes are; ask again");
}

Status Preparer::format(const PrepareRequest& request, FsType type, ProvenanceRecord& record,
                        std::chrono::milliseconds deadline) {
  FileSystemSpec spec;
  spec.type = type;
  spec.uuid = new_uuid();
  spec.options = request.mkfs_options;
  spec.legacy = request.legacy;
  HOLDFAST_CHECK(record.write({.kind = Provenance::Kind::kFormatting, .uuid = {}}));
  if (request.mapping.empty()) {
    HOLDFAST_CHECK(file_systems_.make(request.device, spec, deadline));
    return record.write({.kind = Provenance::Kind::kFormatted, .uuid = uuid_as_found(type, spec.uuid)});
  }
  const std::string uuid = new_uuid();
  HOLDFAST_CHECK(encrypt(request, uuid, deadline));
  if (!request.raw) HOLDFAST_CHECK(file_systems_.make(clear_path(request.mapping), spec, deadline));
  return record.write({.kind = Provenance::Kind::kFormatted, .uuid = uuid});
}

// Also over one that was cut off, and may be open.
Status Preparer::encrypt(const PrepareRequest& request, const std::string& uuid,
                         std::chrono::milliseconds deadline) {
  HOLDFAST_CHECK(encryption_.close(request.mapping, deadline));
  HOLDFAST_CHECK(encryption_.format(request.device, uuid, request.passphrase, deadline));
  return encryption_.open(request.device, request.mapping, request.passphrase, deadline);
}

}  // namespace holdfast::block
