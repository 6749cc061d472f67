#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "common/base/fd.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast::test {

/// The network between nodes: a bridge in a namespace of its own.
class Lan {
 public:
  Lan();
  /// A link `name` in the namespace `netns`; it is not up.
  void plug(int netns, int number, const std::string& name);
  /// A link eth0 in the namespace `netns`, with these addresses, and a default route by 192.168.77.254.
  void connect(int netns, int number, const std::vector<std::string>& addresses);
  /// To the bridge: who listens on it in netns() is reached by all.
  void add_address(const std::string& cidr);
  /// Holds the bridge `lan` with a link port<NUMBER> to each.
  [[nodiscard]] int netns() const { return netns_.get(); }

 private:
  Fd netns_;
  int bridge_ = 0;
};

/// A node on which the real flanneld runs, in a namespace of its own: eth0 with 192.168.77.N (and
/// 2001:db8::N), and a bridge cni0 with 10.244.N.1/24 that stands for its pods. Its folders are below `home`,
/// the nodes' files in `home`/nodes for all. The program ends with the object, also when the test is killed.
class FlanneldNode {
 public:
  FlanneldNode(Lan& lan, std::filesystem::path home, int number);
  /// With nothing but lo, for a caller that makes its links.
  FlanneldNode(std::filesystem::path home, std::string name);
  FlanneldNode(const FlanneldNode&) = delete;
  FlanneldNode& operator=(const FlanneldNode&) = delete;
  ~FlanneldNode() { stop(SIGKILL); }

  /// The file that tells the others of this node; `more` are further lines below spec.flannel.
  void publish(const std::string& more = "") const;
  /// The same with another IPv4 pod CIDR.
  void publish_as(const std::string& pod_cidr) const;
  void unpublish() const;
  /// Starts the program, with `more` behind the usual flags. Does not wait.
  void start(const std::vector<std::string>& more = {});
  /// The same in a mount namespace of its own, in which the shell command `before` has run.
  void start_after(const std::string& before, const std::vector<std::string>& more = {});
  /// Returns its exit status, or 128 and the signal that ended it; -1 when it did not run.
  int stop(int signal);
  /// Waits for it to end by itself, 5 s at most.
  int wait();
  [[nodiscard]] pid_t pid() const { return pid_; }

  /// What a shell command prints in the node's namespace; one that fails fails the case.
  [[nodiscard]] std::string run(const std::string& command) const;
  /// Whether it succeeds.
  [[nodiscard]] bool can(const std::string& command) const;
  /// What the program has logged since its last start.
  [[nodiscard]] std::string log() const;
  [[nodiscard]] std::string vtep_mac() const;
  /// The answer to a GET on 127.0.0.1 port 8081; empty when nobody answers.
  [[nodiscard]] std::string get(const std::string& path) const;
  [[nodiscard]] bool ready() const { return get("/readyz").find(" 200 OK") != std::string::npos; }
  /// Value of a metric that has no labels, or is told with them.
  [[nodiscard]] double metric(const std::string& name) const;
  [[nodiscard]] std::filesystem::path path(const std::string& name) const { return home_ / name; }
  [[nodiscard]] int netns() const { return netns_.get(); }

  std::string net_conf;  ///< content of the file; changes count from the next start

 private:
  void write_document(const std::string& pod_cidr, const std::string& more) const;
  [[nodiscard]] std::vector<std::string> arguments(const std::vector<std::string>& more) const;
  void spawn(const std::vector<std::string>& arguments);

  std::filesystem::path nodes_;
  std::string name_;
  std::filesystem::path home_;
  int number_ = 0;
  Fd netns_;
  pid_t pid_ = -1;
};

/// Waits until `holds`, looking every millisecond. Returns how long it took, or fails the case after
/// `patience`.
std::chrono::milliseconds until(const std::function<bool()>& holds,
                                std::chrono::milliseconds patience = std::chrono::seconds(10));

/// Prints "NAME: N ms", to be found in the results.
void print_time(const std::string& name, std::chrono::milliseconds took);

}  // namespace holdfast::test
