#include "test/egw-gateway/bfd/peer_daemons.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "common/base/fd.h"
#include "common/netlink/netns.h"
#include "test/netlink/fresh_netns.h"

namespace holdfast::bfd::test {
namespace {

const std::string kRoot = HOLDFAST_PEERS;

std::string library_path() {
  const std::string libraries = kRoot + "/usr/lib/x86_64-linux-gnu";
  return "LD_LIBRARY_PATH=" + libraries + ":" + libraries + "/frr";
}

void write_file(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }

[[noreturn]] void become(std::vector<std::string> argv, const std::string& log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(out, 1);
  ::dup2(out, 2);
  std::vector<char*> pointers;
  for (std::string& argument : argv) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers[0], pointers.data());
  ::_exit(127);
}

/// In a mount namespace where /etc/group has the group that bfdd insists upon.
std::vector<std::string> bfdd_arguments(const std::filesystem::path& folder) {
  const std::string at = folder.native();
  return {"/usr/bin/unshare",
          "--mount",
          "/bin/sh",
          "-ec",
          "mount --bind " + at + "/group /etc/group; exec \"$@\"",
          "sh",
          "/usr/bin/env",
          library_path(),
          kRoot + "/usr/lib/frr/bfdd",
          "-u",
          "root",
          "-g",
          "root",
          "-P",
          "0",
          "-i",
          at + "/pid",
          "-f",
          at + "/conf",
          "--vty_socket",
          at,
          "-z",
          at + "/zserv",
          "--bfdctl",
          at + "/control",
          "--log",
          "stdout"};
}

std::filesystem::path with_bfdd_files(const std::filesystem::path& folder, const std::string& peers) {
  std::ifstream group("/etc/group");
  const std::string groups((std::istreambuf_iterator<char>(group)), {});
  write_file(folder / "group", groups + "\nfrrvty:x:0:\n");
  write_file(folder / "conf", "bfd\n" + peers + "!\n");
  return folder;
}

std::vector<std::string> bird_arguments(const std::filesystem::path& folder) {
  const std::string at = folder.native();
  return {
      "/usr/bin/env", library_path(), kRoot + "/usr/sbin/bird", "-f", "-c", at + "/conf", "-s", at + "/ctl",
      "-P",           at + "/pid"};
}

std::filesystem::path with_bird_files(const std::filesystem::path& folder, const std::string& bfd) {
  write_file(folder / "conf", "router id 10.0.0.2;\nprotocol device {}\nprotocol bfd {\n" + bfd + "}\n");
  return folder;
}

/// One answer of a vty: text, three NULs, and a status.
std::string answer_of(int vty) {
  std::string out;
  std::array<char, 4096> some{};
  const std::string end(3, '\0');
  while (out.size() < 4 || out.compare(out.size() - 4, 3, end) != 0) {
    const ssize_t got = ::read(vty, some.data(), some.size());
    if (got <= 0) throw std::runtime_error("bfdd says nothing");
    out.append(some.data(), static_cast<std::size_t>(got));
  }
  return out.substr(0, out.size() - 4);
}

bool connected(const Fd& socket, const std::string& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::strncpy(&at.sun_path[0], path.c_str(), sizeof at.sun_path - 1);
  void* raw = &at;
  for (int tries = 0; tries < 3000; ++tries) {
    if (::connect(socket.get(), static_cast<const sockaddr*>(raw), sizeof at) == 0) return true;
    ::usleep(10'000);
  }
  return false;
}

}  // namespace

PeerProcess::PeerProcess(int netns, std::vector<std::string> argv, std::filesystem::path log) {
  if (!std::filesystem::exists(kRoot + "/usr/sbin/bird")) {
    throw std::runtime_error("no BIRD and FRR below " + kRoot + ": `./run test netns` unpacks them");
  }
  const Status done = nl::run_in_netns(netns, [&] {
    pid_ = ::fork();
    if (pid_ == 0) become(std::move(argv), log.native());
  });
  if (!done || pid_ < 0) throw std::runtime_error("cannot start a peer");
}

PeerProcess::~PeerProcess() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

Bird::Bird(int netns, const std::string& bfd)
    : netns_(netns), process_(netns, bird_arguments(with_bird_files(folder_.path(), bfd)), folder_ / "log") {
  for (int tries = 0; !std::filesystem::exists(folder_ / "ctl"); ++tries) {
    if (tries == 3000 || ::kill(process_.pid(), 0) != 0) throw std::runtime_error("BIRD does not start");
    ::usleep(10'000);
  }
}

void Bird::configure(const std::string& bfd) {
  with_bird_files(folder_.path(), bfd);
  static_cast<void>(command("configure"));
}

std::string Bird::command(const std::string& command) const {
  return holdfast::test::output_in(netns_, "env " + library_path() + " " + kRoot + "/usr/sbin/birdcl -s " +
                                               (folder_ / "ctl").native() + " '" + command + "'");
}

/// A line is PEER INTERFACE STATE SINCE INTERVAL TIMEOUT.
std::string Bird::state_of(const std::string& peer) const {
  std::istringstream lines(command("show bfd sessions"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string address;
    std::string interface;
    std::string state;
    if (words >> address >> interface >> state && address == peer) return state;
  }
  return {};
}

Bfdd::Bfdd(int netns, const std::string& peers)
    : process_(netns, bfdd_arguments(with_bfdd_files(folder_.path(), peers)), folder_ / "log") {}

std::string Bfdd::say(const std::vector<std::string>& commands) const {
  const Fd vty(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!connected(vty, (folder_ / "bfdd.vty").native())) throw std::runtime_error("bfdd does not start");
  std::string last;
  for (const std::string& command : commands) {
    if (::write(vty.get(), command.c_str(), command.size() + 1) < 0) throw std::runtime_error("bfdd is gone");
    last = answer_of(vty.get());
  }
  return last;
}

void Bfdd::configure(const std::vector<std::string>& commands) const {
  std::vector<std::string> all{"enable", "configure terminal", "bfd"};
  all.insert(all.end(), commands.begin(), commands.end());
  static_cast<void>(say(all));
}

std::string Bfdd::shown(const std::string& peer, const std::string& key) const {
  const auto peers = nlohmann::json::parse(say({"enable", "show bfd peers json"}), nullptr, false);
  if (!peers.is_array()) return {};
  for (const auto& each : peers) {
    if (each.value("peer", "") != peer || !each.contains(key)) continue;
    return each[key].is_string() ? each[key].get<std::string>() : each[key].dump();
  }
  return {};
}

}  // namespace holdfast::bfd::test
