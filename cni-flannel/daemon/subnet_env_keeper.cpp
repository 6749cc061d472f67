#include "cni-flannel/daemon/subnet_env_keeper.h"

#include <chrono>
#include <string>
#include <utility>

namespace holdfast::flannel {
namespace {

// Two who write one file, each after the other, leave the node its time.
constexpr std::chrono::milliseconds kFileDelay{100};

}  // namespace

SubnetEnvKeeper::SubnetEnvKeeper(const Tools& tools, NetConf conf, std::filesystem::path file, bool ip_masq)
    : tools_(tools), conf_(std::move(conf)), file_(std::move(file)), ip_masq_(ip_masq) {}

Status SubnetEnvKeeper::start() {
  const std::string name = file_.filename();
  HOLDFAST_TRY(folder_,
               FollowedFolder::start(tools_.loop, file_.parent_path(), [this, name](const FolderNews& news) {
                 if (news.all || news.names.contains(name)) touched();
               }));
  return {};
}

bool SubnetEnvKeeper::put(const NodeNetwork& lease, const Underlay* underlay) {
  Status done = look_at_mtu(underlay);
  if (done) done = write(lease);
  tools_.conditions.set(kSubnetFileWritten, "WriteFailed", done ? "" : done.error().message);
  return done.has_value();
}

void SubnetEnvKeeper::withdraw() {
  leave();
  const Status done = tools_.files.remove(file_);
  tools_.conditions.unwell(
      kSubnetFileWritten, done ? "OfAnotherCluster" : "RemoveFailed",
      done ? "it told of another cluster, and there is no lease in this one yet" : done.error().message);
}

Status SubnetEnvKeeper::look_at_mtu(const Underlay* underlay) {
  if (underlay == nullptr) return {};
  HOLDFAST_TRY(mtu_, overlay_mtu(conf_, underlay->link.mtu));
  return {};
}

Status SubnetEnvKeeper::write(const NodeNetwork& lease) {
  HOLDFAST_TRY(wanted_, subnet_file_of(conf_, lease, mtu_, ip_masq_));
  return write_subnet_file(tools_.files, file_, *wanted_);
}

/// By ourselves, or by somebody without whom no pod waits for the next look at everything.
void SubnetEnvKeeper::touched() {
  if (!wanted_ || again_.pending()) return;
  again_ = tools_.loop.after(kFileDelay, [this] {
    if (!wanted_) return;
    const Status done = write_subnet_file(tools_.files, file_, *wanted_);
    tools_.conditions.set(kSubnetFileWritten, "WriteFailed", done ? "" : done.error().message);
  });
}

}  // namespace holdfast::flannel
