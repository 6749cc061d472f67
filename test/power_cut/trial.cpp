#include "test/power_cut/trial.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "common/base/cidr.h"
#include "test/tools/plugin_process.h"
#include "test/tools/private_host.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kState[] = "/var/lib/cni";

std::string id_of(const Step& step) { return step.pod + "-sandbox-" + std::to_string(step.sandbox); }

/// One node with its pods, inside the trial's own namespaces.
class Node {
 public:
  Node(const Trial& trial, TrialEnd& end) : trial_(trial), end_(end) {}

  Status live();

 private:
  const Trial& trial_;
  TrialEnd& end_;
  std::map<std::string, Sandbox> sandboxes_;  ///< by container id
  std::map<std::string, AddResult> running_;  ///< by container id
  std::map<std::string, std::string> known_;  ///< pod -> address that it was told last

  void wrong(std::string what) { end_.wrong.push_back(std::move(what)); }
  Result<Sandbox> sandbox(const Step& step);
  Status run(const Step& step);
  Status reboot();
  void take_answer(const Step& step, const std::string& out);
  Status cut(const Step& step);
  Status recover();
  Status inspect();
  Status inspect_pods();
  void list_files();
  Status count_rules();
};

Result<Sandbox> Node::sandbox(const Step& step) {
  const std::string id = id_of(step);
  if (!sandboxes_.contains(id)) {
    HOLDFAST_TRY(const fs::path netns, make_netns(id));
    sandboxes_[id] = {.container_id = id, .pod = step.pod, .pod_uid = "uid-of-" + step.pod, .netns = netns};
  }
  return sandboxes_[id];
}

/// The answer of an ADD; an ADD that was killed has given none, or a whole one.
void Node::take_answer(const Step& step, const std::string& out) {
  const auto result = parse_add_result(out);
  if (!result) return;
  running_[id_of(step)] = *result;
  known_[step.pod] = result->addresses.front();
}

/// What was in the old namespaces goes with them; sandboxes of the last boot have no namespace any more.
Status Node::reboot() {
  for (auto& [id, box] : sandboxes_) {
    HOLDFAST_CHECK(drop_netns(box.netns));
    box.netns.clear();
  }
  running_.clear();
  HOLDFAST_CHECK(renew_private_host());
  return write_subnet_env();
}

Status Node::run(const Step& step) {
  if (step.verb == "REBOOT") return reboot();
  HOLDFAST_TRY(const Sandbox box, sandbox(step));
  HOLDFAST_TRY(const PluginEnd end, run_plugin(make_call(trial_.setup, step.verb, box)));
  if (end.exit_code != 0) {
    wrong(step.verb + " of " + box.container_id + " failed: " + end.out + end.err);
    return {};
  }
  if (step.verb == "ADD") take_answer(step, end.out);
  if (step.verb == "DEL") running_.erase(box.container_id);
  return {};
}

Status Node::cut(const Step& step) {
  HOLDFAST_TRY(const Sandbox box, sandbox(step));
  const PluginCall call = make_call(trial_.setup, step.verb, box);
  HOLDFAST_TRY(Streams streams, Streams::open(call.config));
  TraceRequest request;
  request.argv = {call.binary.string()};
  request.env = environment_of(call);
  request.env.emplace_back("ASAN_OPTIONS=detect_leaks=0");  // LeakSanitizer does not work under ptrace
  request.in_fd = streams.child_in();
  request.out_fd = streams.child_out();
  request.err_fd = streams.child_err();
  request.kill_at = trial_.kill_at;
  HOLDFAST_TRY(const TraceEnd traced, trace(request));
  streams.close_child_ends();
  for (const ChangePoint& point : traced.points) end_.points.push_back(point.call + " " + point.target);
  end_.killed = traced.killed;
  if (!traced.killed && traced.exit_code != 0) {
    HOLDFAST_TRY(const std::string out, streams.read_out());
    HOLDFAST_TRY(const std::string err, streams.read_err());
    return fail(Code::kInternal, call.command + " fails under the tracer: " + out + err);
  }
  HOLDFAST_TRY(const std::string out, streams.read_out());
  if (step.verb == "ADD") take_answer(step, out);
  return {};
}

Status Node::recover() {
  const Step del{"DEL", trial_.scenario.cut.pod, trial_.scenario.cut.sandbox};
  const Step add{"ADD", del.pod, del.sandbox + 1};
  const std::string expected = known_.contains(add.pod) ? known_[add.pod] : std::string();
  const bool delete_first = trial_.recovery == Recovery::kDeleteFirst;
  HOLDFAST_CHECK(run(delete_first ? del : add));
  HOLDFAST_CHECK(run(delete_first ? add : del));
  const std::string got = running_.contains(id_of(add)) ? running_[id_of(add)].addresses.front() : "none";
  if (trial_.sticky && !expected.empty() && got != expected) {
    wrong("the pod had " + expected + " and now has " + got);
  }
  return {};
}

/// Links, addresses and saved configurations are those of the sandboxes that run, no more and no less.
Status Node::inspect() {
  Holdings expected;
  std::set<std::string> addresses;
  for (const auto& [id, result] : running_) {
    expected.host_links.insert(result.host_link);
    if (!trial_.setup.conf_dir.empty()) expected.confs.insert(id);
    for (const std::string& address : result.addresses) {
      expected.addresses[address] = id;
      if (!addresses.insert(address).second) wrong(address + " was given twice");
    }
  }
  HOLDFAST_TRY(const Holdings held, holdings_of(trial_.setup));
  if (held != expected)
    wrong("there is " + held.to_string() + " but there should be " + expected.to_string());
  return inspect_pods();
}

Status Node::inspect_pods() {
  for (const auto& [id, box] : sandboxes_) {
    if (box.netns.empty()) continue;
    HOLDFAST_TRY(const std::vector<std::string> links, link_names_in(box.netns));
    const bool has_link = std::find(links.begin(), links.end(), "eth0") != links.end();
    if (has_link != running_.contains(id))
      wrong(id + (has_link ? " still has" : " does not have") + " its eth0");
    if (links.size() > (has_link ? 2U : 1U)) wrong(id + " has links that nobody asked for");
  }
  return {};
}

/// "10.244.3.7" and "web-sandbox-2" differ from trial to trial; what kind of file it is does not.
std::string anonymous(const std::string& name) {
  if (IpAddress::parse(name)) return "ADDRESS";
  return name.find("-sandbox-") != std::string::npos ? "SANDBOX" : name;
}

void Node::list_files() {
  std::error_code error;
  for (fs::recursive_directory_iterator at(kState, error), end; !error && at != end; at.increment(error)) {
    const fs::path path = at->path();
    end_.files.push_back((path.parent_path() / anonymous(path.filename().string())).string());
  }
  std::sort(end_.files.begin(), end_.files.end());
}

Status Node::count_rules() {
  FILE* const nft = ::popen("nft list ruleset", "re");
  if (nft == nullptr) return fail_errno(errno, "run nft");
  std::array<char, 512> line{};
  while (std::fgets(line.data(), line.size(), nft) != nullptr) ++end_.rule_lines;
  if (::pclose(nft) != 0) return fail(Code::kInternal, "nft list ruleset failed");
  return {};
}

Status Node::live() {
  HOLDFAST_CHECK(enter_private_host({}));
  HOLDFAST_CHECK(write_subnet_env());
  for (const Step& step : trial_.scenario.before) HOLDFAST_CHECK(run(step));
  HOLDFAST_CHECK(cut(trial_.scenario.cut));
  HOLDFAST_CHECK(recover());
  for (const Step& step : trial_.scenario.after) HOLDFAST_CHECK(run(step));
  HOLDFAST_CHECK(inspect());
  list_files();
  return count_rules();
}

json to_json(const Status& done, const TrialEnd& end) {
  return {{"error", done ? "" : done.error().message},
          {"points", end.points},
          {"killed", end.killed},
          {"wrong", end.wrong},
          {"files", end.files},
          {"rule_lines", end.rule_lines}};
}

Result<TrialEnd> from_json(const std::string& text) {
  const json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return fail(Code::kInternal, "the trial's process broke off");
  const std::string error = document["error"];
  if (!error.empty()) return fail(Code::kInternal, error);
  return TrialEnd{.points = document["points"],
                  .killed = document["killed"],
                  .wrong = document["wrong"],
                  .files = document["files"],
                  .rule_lines = document["rule_lines"]};
}

[[noreturn]] void be_the_node(const Trial& trial, int out) {
  TrialEnd end;
  const Status done = Node(trial, end).live();
  const std::string text = to_json(done, end).dump(-1, ' ', false, json::error_handler_t::replace);
  const bool whole = ::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::_exit(whole ? 0 : 1);
}

}  // namespace

Result<TrialEnd> run_trial(const Trial& trial) {
  HOLDFAST_TRY(Streams streams, Streams::open(""));
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) be_the_node(trial, streams.child_out());
  streams.close_child_ends();
  auto text = streams.read_out();
  ::waitpid(child, nullptr, 0);
  if (!text) return tl::unexpected(std::move(text).error());
  return from_json(*text);
}

}  // namespace holdfast::test
