// The plugin is killed before and after every system call by which it changes anything; a runtime then goes
// on.
#include <cstddef>
#include <iostream>
#include <string>
#include <vector>

#include "test/catch.h"
#include "test/power_cut/trial.h"

namespace holdfast::test {
namespace {

const Scenario kFirstAdd{"the first ADD on a node", {}, {"ADD", "web", 1}};
const Scenario kSecondPod{"ADD of a second pod", {{"ADD", "db", 1}}, {"ADD", "web", 1}};
const Scenario kKnownPod{"ADD of a known pod", {{"ADD", "web", 0}, {"DEL", "web", 0}}, {"ADD", "web", 1}};
const Scenario kDel{"DEL", {{"ADD", "db", 1}, {"ADD", "web", 1}}, {"DEL", "web", 1}};

/// The runtime learns late that the sandboxes of the last boot are dead.
const Scenario kAfterReboot{"ADD after a reboot",
                            {{"ADD", "db", 1}, {"ADD", "web", 0}, {"REBOOT", "", 0}},
                            {"ADD", "web", 1},
                            {{"DEL", "web", 0}, {"DEL", "db", 1}}};

/// What the trials of one scenario found.
struct Campaign {
  std::size_t points = 0;  ///< that the tracer counts when nothing is killed
  std::string list;        ///< of them, a line each
  std::size_t cut = 0;     ///< points at which the plugin was killed, before and after
  std::vector<std::string> wrong;
};

TrialEnd must_run(const Trial& trial) {
  const auto end = run_trial(trial);
  INFO((end ? std::string() : end.error().message));
  REQUIRE(end.has_value());
  return *end;
}

std::string place_of(const KillAt& at, const TrialEnd& end) {
  return std::string("killed ") + (at.after ? "after " : "before ") + std::to_string(at.number) + " (" +
         (end.points.size() < at.number ? "?" : end.points[at.number - 1]) + "): ";
}

/// The files that hold something: addresses, bindings, configurations. Left out are the hint where
/// host-local's round goes on (last_reserved_ip.N) and files that were being written: neither holds an
/// address, the next write of the hint replaces its unfinished file, and an unfinished claim goes with the
/// first change after the next boot (address_files.h).
std::vector<std::string> holding(std::vector<std::string> files) {
  std::erase_if(files, [](const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    return name.starts_with(".claim-") || name.find("last_reserved_ip.") != std::string::npos;
  });
  return files;
}

/// Cuts at one point and compares with the node that nothing was cut on.
bool cut_at(Trial trial, const KillAt& at, const TrialEnd& whole, std::vector<std::string>& wrong) {
  trial.kill_at = at;
  trial.recovery = at.after ? Recovery::kDeleteLate : Recovery::kDeleteFirst;
  const TrialEnd end = must_run(trial);
  for (const std::string& what : end.wrong) wrong.push_back(place_of(at, end) + what);
  if (end.rule_lines != whole.rule_lines) wrong.push_back(place_of(at, end) + "another number of nft rules");
  if (holding(end.files) != holding(whole.files)) {
    std::string names;
    for (const std::string& file : end.files) names += " " + file;
    wrong.push_back(place_of(at, end) + "other files than usual:" + names);
  }
  // Between a call and its end the program's other processes may have come further.
  return end.killed && (at.after || end.points.size() == at.number);
}

/// A cut before point N + 1 finds the same state as one after point N, so that each state is recovered from
/// both ways.
Campaign cut_everywhere(const PluginSetup& setup, bool sticky, const Scenario& scenario) {
  Campaign campaign;
  const Trial trial{.setup = setup, .sticky = sticky, .scenario = scenario};
  const TrialEnd whole = must_run(trial);
  campaign.points = whole.points.size();
  for (const std::string& point : whole.points) campaign.list += point + "\n";
  campaign.wrong = whole.wrong;
  for (std::size_t number = 1; number <= campaign.points; ++number) {
    const bool before = cut_at(trial, {number, false}, whole, campaign.wrong);
    const bool after = cut_at(trial, {number, true}, whole, campaign.wrong);
    if (before && after) ++campaign.cut;
  }
  return campaign;
}

#ifdef POWER_CUT_PLUGIN

void recovers_everywhere(const PluginSetup& setup, const Scenario& scenario) {
  const Campaign campaign = cut_everywhere(setup, /*sticky=*/true, scenario);
  std::cout << scenario.name << ": points: " << campaign.points << '\n';
  INFO(campaign.list);
  CHECK(campaign.points > 3);
  CHECK(campaign.cut == campaign.points);
  for (const std::string& what : campaign.wrong) {
    INFO(what);
    CHECK(what.empty());
  }
}

PluginSetup ours(bool ip_masq = false) { return flannel_setup(POWER_CUT_PLUGIN, ip_masq); }

TEST_CASE("the first ADD on a node may be killed at any change", "[power_cut]") {
  recovers_everywhere(ours(), kFirstAdd);
}

TEST_CASE("ADD of a second pod may be killed at any change", "[power_cut]") {
  recovers_everywhere(ours(), kSecondPod);
}

TEST_CASE("ADD of a known pod may be killed at any change, and the pod keeps its address", "[power_cut]") {
  recovers_everywhere(ours(), kKnownPod);
}

TEST_CASE("DEL may be killed at any change, and the pod keeps its address", "[power_cut]") {
  recovers_everywhere(ours(), kDel);
}

TEST_CASE("the first ADD after a reboot may be killed at any change, and the pod keeps its address",
          "[power_cut]") {
  recovers_everywhere(ours(), kAfterReboot);
}

TEST_CASE("with masquerading rules, ADD may be killed at any change", "[power_cut]") {
  recovers_everywhere(ours(/*ip_masq=*/true), kKnownPod);
}

TEST_CASE("with masquerading rules, DEL may be killed at any change", "[power_cut]") {
  recovers_everywhere(ours(/*ip_masq=*/true), kDel);
}

#endif

TEST_CASE("the campaign finds nothing amiss when nothing is cut", "[power_cut]") {
  for (const Scenario& scenario : {kFirstAdd, kSecondPod, kKnownPod, kDel, kAfterReboot}) {
    for (const Recovery recovery : {Recovery::kDeleteFirst, Recovery::kDeleteLate}) {
      DYNAMIC_SECTION(scenario.name << (recovery == Recovery::kDeleteLate ? ", late DEL" : "")) {
        const TrialEnd end = must_run({.setup = bridge_setup("/usr/lib/cni", "upstream"),
                                       .sticky = false,
                                       .scenario = scenario,
                                       .recovery = recovery});
        CHECK_FALSE(end.killed);
        CHECK(end.wrong == std::vector<std::string>{});
      }
    }
  }
}

TEST_CASE("the campaign sees what a plugin without recovery leaves behind", "[power_cut]") {
  // Upstream's host-local killed between creating an address file and writing its owner into it: the address
  // is lost.
  const Campaign campaign =
      cut_everywhere(bridge_setup("/usr/lib/cni", "upstream"), /*sticky=*/false, kFirstAdd);
  INFO(campaign.list);
  CHECK(campaign.points > 20);
  CHECK(campaign.cut == campaign.points);
  std::string wrong;
  for (const std::string& what : campaign.wrong) wrong += what + "\n";
  CHECK_THAT(wrong, Catch::Contains("cbr0/10.244.3.2): there is links:"));
}

}  // namespace
}  // namespace holdfast::test
