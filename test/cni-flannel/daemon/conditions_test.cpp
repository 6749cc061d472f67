#include "cni-flannel/daemon/conditions.h"

#include "test/catch.h"
#include "test/fakes/fake_clock.h"
#include "test/fakes/log_lines.h"

namespace holdfast::flannel {
namespace {

struct Node {
  holdfast::test::LogLines log;
  holdfast::test::FakeClock clock;
  Conditions conditions{log, clock};
};

constexpr auto kReadyKinds = {kInterfaceFound,  kLeaseKnown,   kDeviceRight,
                              kPeersProgrammed, kRulesInPlace, kSubnetFileWritten};

TEST_CASE_METHOD(Node, "A node is ready when all that it needs is well, whatever else is not", "[flanneld]") {
  for (const ConditionKind& kind : kReadyKinds) {
    CHECK_FALSE(conditions.ready());
    conditions.well(kind);
  }
  CHECK(conditions.ready());
  CHECK_FALSE(conditions.is_well(kSourceReachable));
  conditions.unwell(kVtepMacContested, "SetBySomebodyElse", "02:..");
  CHECK(conditions.ready());
  CHECK(conditions.first_trouble().empty());
  conditions.unwell(kDeviceRight, "DeviceWrong", "it is gone");
  CHECK_FALSE(conditions.ready());
  CHECK(conditions.first_trouble() == "DeviceRight: it is gone");
}

TEST_CASE_METHOD(Node, "A transition is one line in the log, however often it is told", "[flanneld]") {
  conditions.set(kDeviceRight, "DeviceWrong", "why one");
  conditions.set(kDeviceRight, "DeviceWrong", "why one");
  conditions.set(kDeviceRight, "DeviceWrong", "why two");
  conditions.set(kDeviceRight, "", "");
  conditions.set(kDeviceRight, "", "");
  CHECK(log.all().size() == 3);
  CHECK(conditions.transitions() == 3);
  CHECK(log.all()[0] ==
        "level=warning msg=\"condition is not as it should be\" condition=DeviceRight reason=DeviceWrong "
        "why=\"why one\"");
}

TEST_CASE_METHOD(Node, "The list is what an object's status holds, and the report what a person reads",
                 "[flanneld]") {
  conditions.well(kDeviceRight);
  conditions.unwell(kVtepMacContested, "SetBySomebodyElse", "by 02:00:00:00:00:01");
  for (const Condition& condition : conditions.list()) {
    if (condition.type == "DeviceRight") {
      CHECK(condition.status == "True");
      CHECK(condition.reason == "AsWanted");
      CHECK(condition.last_transition_time == utc_text(clock.now()));
    }
    if (condition.type == "VtepMacContested") CHECK(condition.status == "True");
    if (condition.type == "PeersRejected") CHECK(condition.status == "False");
    if (condition.type == "LeaseKnown") CHECK(condition.status == "False");
  }
  CHECK_THAT(conditions.report(),
             Catch::Contains("[+]DeviceRight ok\n") && Catch::Contains("[-]LeaseKnown failed: not yet\n") &&
                 Catch::Contains("[-]VtepMacContested found: by 02:00:00:00:00:01 (ready all the same)\n") &&
                 Catch::Contains("[+]CidrConflict none\n"));
}

TEST_CASE_METHOD(Node, "What comes from outside can end no line of the report, and not fill it",
                 "[flanneld]") {
  conditions.unwell(kPeersRejected, "NodesConflict",
                    "node a\n[+]PeersRejected none\x1b[2J" + std::string(9000, 'x'));
  CHECK_THAT(conditions.report(),
             Catch::Contains("[-]PeersRejected found: node a\\x0a[+]PeersRejected none\\x1b[2Jxx"));
  CHECK(conditions.report().size() < 3000);
}

TEST_CASE_METHOD(Node, "How long something lasts is counted from when it began", "[flanneld]") {
  conditions.well(kDeviceRight);
  clock.advance(std::chrono::seconds(10));
  conditions.unwell(kDeviceRight, "DeviceWrong", "one");
  const std::string begun = utc_text(clock.now());
  clock.advance(std::chrono::seconds(10));
  conditions.unwell(kDeviceRight, "DeviceWrong", "two");
  for (const Condition& condition : conditions.list()) {
    if (condition.type == "DeviceRight") CHECK(condition.last_transition_time == begun);
  }
}

}  // namespace
}  // namespace holdfast::flannel
