// What a cluster's controller and its nodes do on several threads at a time.
#include <vector>

#include "test/csi-lvm/cluster/cluster_driver.h"

namespace holdfast::lvm::test {
namespace {

constexpr int kCallers = 4;
constexpr int kRounds = 3;

std::string name_of(int caller, int round) {
  return "pvc-" + std::to_string(caller) + "-" + std::to_string(round);
}

using Requests = std::vector<csi::v1::CreateVolumeRequest>;

// Of one caller. Not made on its thread: the test's checks are for one thread.
Requests requests_of(int caller) {
  Requests out;
  for (int round = 0; round < kRounds; ++round) {
    out.push_back(message<csi::v1::CreateVolumeRequest>(volume_request(name_of(caller, round), 8 * kMiB)));
  }
  return out;
}

// What one of the provisioner's threads asks for; the volume of the first request stays.
void call_all(Driver& driver, const Requests& requests, std::atomic<int>& failures) {
  const auto done = [&failures](const Status& status) { failures += status ? 0 : 1; };
  for (const csi::v1::CreateVolumeRequest& request : requests) {
    csi::v1::CreateVolumeResponse made;
    done(driver.driver.create_volume(driver.call, request, made));
    csi::v1::GetCapacityResponse room;
    done(driver.driver.capacity(driver.call, csi::v1::GetCapacityRequest(), room));
    csi::v1::ControllerExpandVolumeRequest more;
    more.set_volume_id(request.name());
    more.mutable_capacity_range()->set_required_bytes(12 * kMiB);
    csi::v1::ControllerExpandVolumeResponse grown;
    done(driver.driver.expand_volume(driver.call, more, grown));
    csi::v1::ListVolumesResponse listed;
    done(driver.driver.list_volumes(driver.call, csi::v1::ListVolumesRequest(), listed));
    if (&request == &requests.front()) continue;
    csi::v1::DeleteVolumeRequest gone;
    gone.set_volume_id(request.name());
    csi::v1::DeleteVolumeResponse none;
    done(driver.driver.delete_volume(driver.call, gone, none));
  }
}

TEST_CASE_METHOD(Driver, "calls on many threads get their answers while nodes work and are asked too",
                 "[lvm cluster]") {
  std::atomic<int> failures = 0;
  std::atomic<int> running = kCallers;
  std::atomic<bool> ended = false;
  {
    std::vector<std::jthread> threads;
    for (int caller = 0; caller < kCallers; ++caller) {
      threads.emplace_back([&, requests = requests_of(caller)] {
        call_all(*this, requests, failures);
        --running;
      });
    }
    // As kubelet does meanwhile, on threads of the node's own driver.
    for (ClusterNode* node : {&one, &two}) {
      threads.emplace_back([&, node] {
        while (!ended) {
          const auto all = node->volumes.list(std::chrono::seconds(1));
          if (all && !all->empty()) {
            static_cast<void>(node->volumes.locate(all->front().name.volume, std::chrono::seconds(1)));
          }
          static_cast<void>(node->book.available_bytes());
          std::this_thread::yield();
        }
      });
    }
    turn_until([&] {
      for (const ClusterNode* node : {&one, &two}) node->agent->look_soon();
      return running == 0;
    });
    ended = true;
  }
  CHECK(failures == 0);
  std::size_t left = 0;
  for (int caller = 0; caller < kCallers; ++caller) {
    const std::string name = name_of(caller, 0);
    left += (one.volume(name) != nullptr ? 1U : 0U) + (two.volume(name) != nullptr ? 1U : 0U);
  }
  CHECK(left == kCallers);
  CHECK(list("").entries_size() == kCallers);
}

}  // namespace
}  // namespace holdfast::lvm::test
