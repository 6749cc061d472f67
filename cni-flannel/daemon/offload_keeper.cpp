#include "cni-flannel/daemon/offload_keeper.h"

#include <sys/utsname.h>

#include <utility>

#include "common/netlink/ethtool.h"

namespace holdfast::flannel {
namespace {

using namespace std::chrono_literals;

constexpr auto kFirstWait = 10s;
constexpr auto kLongestWait = 1h;

/// Drivers come with the kernel.
std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "";
}

}  // namespace

OffloadKeeper::OffloadKeeper(Tools tools, ChecksumOffload way, std::uint64_t seed)
    : tools_(std::move(tools)), way_(way), peer_(seed), waits_(kFirstWait, kLongestWait, seed) {}

OffloadKeeper::~OffloadKeeper() = default;

bool OffloadKeeper::wants_off() const {
  if (way_ != ChecksumOffload::kTest) return way_ == ChecksumOffload::kOff;
  return phase_ == Phase::kConfirming || (known_ && broken_with_ == current_);
}

void OffloadKeeper::apply(const std::string& link, const std::vector<std::string>& devices) {
  devices_ = devices;
  link_ = link;
  std::string current = link + " " + kernel_release();
  if (current != current_) {
    current_ = std::move(current);
    known_ = broken_with_ == current_;
    phase_ = Phase::kIdle;
    probe_.reset();
    next_.end();
    waits_.reset();
  }
  if (way_ == ChecksumOffload::kLeave && !broken_with_.empty()) {
    set_devices(true);
    broken_with_.clear();
    tools_.remembered();
  }
  // what an operator has turned off stays off
  if (wants_off()) set_devices(false);
  tell();
}

void OffloadKeeper::look(const IpAddress& from, std::vector<IpAddress> peers) {
  // a test goes on with the peer it began with; a family without peers has nothing to tell
  if (way_ != ChecksumOffload::kTest || known_ || phase_ != Phase::kIdle || peers.empty()) return;
  from_ = from;
  peers_ = std::move(peers);
  if (!next_.pending() && !devices_.empty()) begin_pairs(Phase::kTesting);
}

void OffloadKeeper::set_devices(bool offload) {
  for (const std::string& device : devices_) {
    const Result<bool> now = nl::tx_checksum_offload(device);
    if (now && *now == offload) continue;
    Status done = now ? nl::set_tx_checksum_offload(device, offload) : Status(tl::unexpected(now.error()));
    if (done) {
      tools_.log.info("checksum offload of the device set", {{"device", device}, {"on", offload}});
    } else {
      tools_.log.warning("checksum offload of the device not set", {{"error", done.error().message}});
    }
  }
}

void OffloadKeeper::begin_pairs(Phase phase) {
  phase_ = phase;
  pairs_ = 0;
  send_pair();
}

void OffloadKeeper::send_pair() {
  ++pairs_;
  auto probe = ChecksumProbe::begin(tools_.loop, from_, peers_[peer_ % peers_.size()],
                                    [this](const ChecksumAnswers& answers) { take(answers); });
  if (probe) {
    probe_ = *std::move(probe);
    return;
  }
  tools_.log.debug("checksum test not sent", {{"error", probe.error().message}});
  try_another();
}

void OffloadKeeper::take(const ChecksumAnswers& answers) {
  // right at once; or right since the offload is off, and wrong kPairs times before
  if (answers.offloaded) return settle(phase_ == Phase::kConfirming);
  const bool undecided = phase_ == Phase::kTesting && !answers.computed;
  if (undecided || (pairs_ == kPairs && phase_ == Phase::kConfirming)) return try_another();
  if (pairs_ < kPairs) return send_pair();
  set_devices(false);
  begin_pairs(Phase::kConfirming);
}

void OffloadKeeper::settle(bool broken) {
  phase_ = Phase::kIdle;
  known_ = true;
  tools_.log.info("checksums left to the interface were tested",
                  {{"interface", link_}, {"arrive", broken ? "wrong" : "right"}});
  const std::string before = std::exchange(broken_with_, broken ? current_ : "");
  if (before != broken_with_) tools_.remembered();
  tell();
}

/// That peer answers nothing, or not every time.
void OffloadKeeper::try_another() {
  tools_.log.debug("checksum test undecided", {{"peer", peers_[peer_ % peers_.size()].to_string()}});
  if (phase_ == Phase::kConfirming) set_devices(true);
  phase_ = Phase::kIdle;
  ++peer_;
  next_ = tools_.loop.after(waits_.next(), [this] { begin_pairs(Phase::kTesting); });
}

void OffloadKeeper::tell() {
  const bool broken = way_ == ChecksumOffload::kTest && known_ && broken_with_ == current_;
  tools_.off.set(wants_off() ? 1 : 0);
  tools_.conditions.set(
      kChecksumOffloadBroken, "ChecksumsWrong",
      !broken
          ? ""
          : "UDP and TCP checksums that the overlay leaves to " + link_ +
                " arrive wrong, so the overlay's devices compute them; another driver or firmware of " +
                link_ + " cures it (a start with --checksum-offload=leave has it tested again afterwards)");
}

std::vector<IpAddress> tunnel_ends(std::span<const WantedPeer> peers) {
  std::vector<IpAddress> out;
  for (const WantedPeer& peer : peers) {
    if (peer.direct_link == 0) out.push_back(peer.end.subnet.first());
  }
  return out;
}

}  // namespace holdfast::flannel
