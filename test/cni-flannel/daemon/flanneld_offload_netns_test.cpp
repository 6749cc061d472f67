// An interface that promises to fill in checksums and does not, and what flanneld makes of it.

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "common/netlink/ethtool.h"
#include "test/catch.h"
#include "test/cni-flannel/daemon/flanneld_cluster.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::test {
namespace {

// Source: linux/virtio_net.h, struct virtio_net_hdr, which C++ cannot read.
constexpr std::size_t kCheckHeader = 10;

/// Frames of one link with what the kernel knows of their checksums.
Fd packets_of(const std::string& link) {
  Fd out(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  sockaddr_ll end{};
  end.sll_family = AF_PACKET;
  end.sll_protocol = htons(ETH_P_ALL);
  end.sll_ifindex = static_cast<int>(::if_nametoindex(link.c_str()));
  const int with_header = 1;
  const void* raw = &end;
  const bool ready =
      ::setsockopt(out.get(), SOL_PACKET, PACKET_VNET_HDR, &with_header, sizeof with_header) == 0 &&
      ::setsockopt(out.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &with_header, sizeof with_header) == 0 &&
      ::bind(out.get(), static_cast<const sockaddr*>(raw), sizeof end) == 0;
  if (!ready) throw std::runtime_error("cannot read packets of " + link);
  return out;
}

/// Stands between a node's port and the LAN as its network card. A broken one does not fill in checksums of
/// what is inside a tunnel and sends it as it is; those of the outermost header it does.
class Card {
 public:
  Card(int lan, const std::string& port, bool broken) {
    const Status made = nl::run_in_netns(lan, [&] {
      output_of(
          "ip link add card type veth peer name card-lan && ip link set card up && ip link set card-lan "
          "master "
          "lan up && ip link set " +
          port + " nomaster && ip link set " + port + " promisc on");
      node_ = packets_of(port);
      lan_ = packets_of("card");
    });
    if (!made) throw std::runtime_error(made.error().message);
    thread_ = std::thread([this, broken] { run(broken); });
  }
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;
  ~Card() {
    ended_ = true;
    thread_.join();
  }

 private:
  void run(bool broken) {
    std::array<pollfd, 2> wait{pollfd{node_.get(), POLLIN, 0}, pollfd{lan_.get(), POLLIN, 0}};
    while (!ended_) {
      ::poll(wait.data(), wait.size(), 20);
      if ((wait[0].revents & POLLIN) != 0) pass(node_, lan_, broken);
      if ((wait[1].revents & POLLIN) != 0) pass(lan_, node_, false);
    }
  }
  void pass(const Fd& from, const Fd& to, bool broken) {
    const ssize_t size = ::recv(from.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size < static_cast<ssize_t>(kCheckHeader)) return;
    std::uint16_t begins_at = 0;  // what the checksum is of; 34: the outermost UDP header
    std::memcpy(&begins_at, &buffer_[6], sizeof begins_at);
    if (broken && begins_at > 34) std::memset(buffer_.data(), 0, kCheckHeader);
    static_cast<void>(::send(to.get(), buffer_.data(), static_cast<std::size_t>(size), 0));
  }

  Fd node_;
  Fd lan_;
  std::vector<char> buffer_ = std::vector<char>(1U << 17U);
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

bool offloads(const FlanneldNode& node) {
  bool out = false;
  const Status done =
      nl::run_in_netns(node.netns(), [&] { out = nl::tx_checksum_offload("flannel.1").value(); });
  return done && out;
}

bool says(const FlanneldNode& node, const std::string& text) {
  return node.log().find(text) != std::string::npos;
}

TEST_CASE_METHOD(Cluster,
                 "Checksum offload is turned off where checksums arrive wrong, and at the next start at once",
                 "[flanneld]") {
  const Card card(lan.netns(), "port1", true);
  start_all();
  until([&] { return one.metric("flanneld_checksum_offload_off") == 1 && says(one, "arrive=wrong"); });
  CHECK_FALSE(offloads(one));
  CHECK_THAT(one.get("/readyz?verbose"),
             Catch::Contains("[-]ChecksumOffloadBroken found: UDP and TCP checksums that "
                             "the overlay leaves to eth0 arrive wrong"));
  CHECK(one.ready());
  // the others ask it through the same card and are not deceived
  until([&] { return says(two, "arrive=right"); });
  CHECK(offloads(two));

  // with all others away, and a device that is new
  until([&] { return one.can("grep -q 'BrokenWith\":\"eth0 ' " + one.path("state/overlay.json").native()); });
  one.stop(SIGKILL);
  two.stop(SIGKILL);
  three.stop(SIGKILL);
  static_cast<void>(one.run("ip link del flannel.1"));
  one.start();
  until([&] { return one.ready(); });
  CHECK_FALSE(offloads(one));
  CHECK(one.metric("flanneld_checksum_offload_off") == 1);
}

TEST_CASE_METHOD(Cluster,
                 "A card that keeps its promise keeps the offload, and one that is not to be tested too",
                 "[flanneld]") {
  SECTION("tested") {
    const Card card(lan.netns(), "port1", false);
    start_all();
    until([&] { return says(one, "arrive=right"); });
    CHECK(offloads(one));
    CHECK(one.metric("flanneld_checksum_offload_off") == 0);
  }
  SECTION("left alone, and always off") {
    one.start({"--checksum-offload=leave"});
    two.start({"--checksum-offload=off"});
    until([&] { return one.ready() && two.ready(); });
    CHECK(offloads(one));
    CHECK_FALSE(offloads(two));
  }
}

TEST_CASE_METHOD(Cluster, "Peers that answer nothing prove nothing", "[flanneld]") {
  one.start();
  until([&] { return says(one, "checksum test undecided"); });
  CHECK(offloads(one));
  CHECK_FALSE(says(one, "arrive="));
}

}  // namespace
}  // namespace holdfast::test
