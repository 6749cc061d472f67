#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "test/fakes/temporary_folder.h"

namespace holdfast::bfd::test {

/// A program of the packages that `unpack_packages peers` of scripts/ unpacks, running in a network
/// namespace. It ends with the object, also when the test is killed.
class PeerProcess {
 public:
  /// `argv[0]` from the root of the packages. Its output goes to the file `log`. Throws when there are no
  /// packages.
  PeerProcess(int netns, std::vector<std::string> argv, std::filesystem::path log);
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;
  ~PeerProcess();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

/// BIRD 2 in the foreground. Source: bird(8), https://bird.network.cz/?get_doc&f=bird-6.html (bfd).
class Bird {
 public:
  /// `bfd` is what stands inside its `protocol bfd`.
  Bird(int netns, const std::string& bfd);
  /// Changes the configuration while it runs.
  void configure(const std::string& bfd);
  /// What `birdcl COMMAND` prints.
  [[nodiscard]] std::string command(const std::string& command) const;
  /// "Up", "Down", ...; empty when it has no session with `peer`.
  [[nodiscard]] std::string state_of(const std::string& peer) const;
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

 private:
  holdfast::test::TemporaryFolder folder_;
  int netns_;
  PeerProcess process_;
};

/// FRR's bfdd, without its other daemons: its sessions name no interface. Source: bfdd(8),
/// https://docs.frrouting.org/en/stable-8.4/bfd.html.
class Bfdd {
 public:
  /// `peers` is what stands below `bfd` in its configuration.
  Bfdd(int netns, const std::string& peers);
  /// What a shell of its (vty) prints after these commands in configuration mode, below `bfd`.
  void configure(const std::vector<std::string>& commands) const;
  /// What `show bfd peer PEER ... json` has under `key`; "" when it has not.
  [[nodiscard]] std::string shown(const std::string& peer, const std::string& key) const;
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

 private:
  [[nodiscard]] std::string say(const std::vector<std::string>& commands) const;

  holdfast::test::TemporaryFolder folder_;
  PeerProcess process_;
};

}  // namespace holdfast::bfd::test
