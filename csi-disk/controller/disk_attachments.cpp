#include "csi-disk/controller/disk_attachments.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/csi/answers.h"
#include "csi-disk/volumes/disk_names.h"
#include "csi-disk/volumes/disk_tags.h"
#include "csi-disk/volumes/publish_context.h"

namespace holdfast::disk {
namespace {

bool is_at(const Disk& disk, const std::string& node) {
  return std::ranges::find(disk.nodes, node) != disk.nodes.end();
}

// Another node that it is at; empty when there is none.
std::string other_node(const Disk& disk, const std::string& node) {
  const auto found =
      std::ranges::find_if(disk.nodes, [&node](const std::string& each) { return each != node; });
  return found == disk.nodes.end() ? "" : *found;
}

std::string words(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

tl::unexpected<Error> taken_by(const std::string& other, const std::string& id, const std::string& node) {
  return fail(Code::kFailedPrecondition,
              words({"disk ", id, " cannot be attached to ", node, ": it is attached to ", other,
                     ", and is not taken from there by force"}));
}

tl::unexpected<Error> not_attached(cloud::CallError refused, const std::string& id, const std::string& node) {
  Error error = cloud::to_error(std::move(refused).within("attach disk " + id + " to " + node));
  // The request is right: this disk and this node do not go together (another zone, another kind of machine).
  if (error.code == Code::kInvalidArgument) error.code = Code::kInternal;
  return tl::unexpected(std::move(error));
}

}  // namespace

Result<std::map<std::string, std::string>> DiskAttachments::attach(const std::string& id,
                                                                   const std::string& node, bool shared,
                                                                   Patience patience) const {
  const Budget budget = looks_.budget(patience);
  HOLDFAST_TRY(const Disk disk, attached(id, node, shared, budget));
  std::map<std::string, std::string> context;
  if (!disk.serial.empty()) context.emplace(kSerialKey, disk.serial);
  const bool fresh = looks_.backend().abilities().tags && tag_of(disk.tags, kContentTag) == kNew;
  context.emplace(kContentKey, fresh ? kNew : kMaybe);
  if (!fresh) return context;
  // The tag says `new` until now: no answer has told any node that it has this disk.
  const Tags used{{std::string(kContentTag), std::string(kMaybe)}};
  cloud::Done done = looks_.backend().tag_disk(id, used, {}, budget.left());
  if (!done)
    return tl::unexpected(
        csi::may_be_left(told(std::move(done).error(), "note the use of disk " + id).value()));
  return context;
}

// The disk as it is when it is attached.
Result<Disk> DiskAttachments::attached(const std::string& id, const std::string& node, bool shared,
                                       const Budget& budget) const {
  const std::string what = words({"attaching disk ", id, " to ", node});
  CloudChange change(what, budget);
  for (;;) {
    HOLDFAST_TRY(Disk disk, looks_.get(id, budget));
    if (disk.locked) {
      return fail(Code::kUnavailable,
                  what + ": the account is in arrears: the disk is kept, and locked until it is paid");
    }
    HOLDFAST_CHECK(call_off_deletion(disk, budget));
    if (is_at(disk, node) && disk.state == DiskState::kInUse) return disk;
    const std::string other = other_node(disk, node);
    const bool taken = !other.empty() && !(shared && disk.multi_attach);
    if (taken && disk.state != DiskState::kDetaching) return taken_by(other, id, node);
    const bool moving = taken || (is_at(disk, node) && disk.state == DiskState::kDetaching) ||
                        disk.state == DiskState::kCreating;
    if (!moving && !change.taken() && !is_at(disk, node)) {
      cloud::Done done = change.answered(looks_.backend().attach_disk(id, node, budget.left()));
      if (!done) return not_attached(std::move(done).error(), id, node);
    }
    if (!change.wait()) return change.unfinished();
  }
}

// One that was begun and not finished: what is written from now on is not in its snapshot, which expires.
Status DiskAttachments::call_off_deletion(const Disk& disk, const Budget& budget) const {
  if (!disk.tags.contains(std::string(kDeletionTag))) return {};
  cloud::Done done = looks_.backend().tag_disk(disk.id, {}, {std::string(kDeletionTag)}, budget.left());
  if (!done) return told(std::move(done).error(), "note that disk " + disk.id + " is used again");
  return {};
}

Status DiskAttachments::detach(const std::string& id, const std::string& node, Patience patience) const {
  const Budget budget = looks_.budget(patience);
  if (!is_id(id, looks_.settings().handle_prefix)) return {};
  std::vector<std::string> nodes{node};
  if (node.empty()) {
    HOLDFAST_TRY(const std::optional<Disk> disk, looks_.find(id, budget));
    if (!disk) return {};
    nodes = disk->nodes;
  }
  for (const std::string& each : nodes) {
    const std::string what = words({"detaching disk ", id, " from ", each});
    for (CloudChange change(what, budget); !change.taken();) {
      cloud::Done done = change.answered(looks_.backend().detach_disk(id, each, budget.left()));
      if (!done) return told(std::move(done).error(), what);
      if (!change.taken() && !change.wait())
        return tl::unexpected(csi::may_be_left(change.unfinished().value()));
    }
    const auto gone = [&each](const Disk& disk) { return !is_at(disk, each); };
    HOLDFAST_CHECK(looks_.wait(id, gone, what, budget));
  }
  return {};
}

}  // namespace holdfast::disk
