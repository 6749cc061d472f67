#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/cloud/http_client.h"
#include "csi-disk/backend/cloud_backend.h"
#include "csi-disk/backend/plugin/plugin_server.h"

namespace {

/// The account of a disk-sim that was told no other.
class SimCredentials final : public holdfast::cloud::CredentialSource {
 public:
  holdfast::Result<holdfast::cloud::Credentials> current() override {
    return holdfast::cloud::Credentials{.id = "sim-id", .secret = "sim-secret"};
  }
  void doubt() override {}
};

}  // namespace

// disk-example-plugin SOCKET URL: the disks of the disk-sim at URL as a plugin. Whoever writes one for
// another cloud puts a DiskBackend of their own in the place of make_alibaba().
int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 2) {
    std::cerr << "usage: disk-example-plugin SOCKET URL\n";
    return 1;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  holdfast::SystemClock clock;
  holdfast::cloud::CurlClient http("disk-example-plugin");
  SimCredentials credentials;
  const auto cloud =
      holdfast::disk::make_alibaba(http, credentials, clock, {.region = "sim-1", .endpoint = arguments[1]});
  const auto server = holdfast::disk::PluginServer::start(cloud->disks(), arguments[0]);
  if (!server) {
    std::cerr << server.error().message << "\n";
    return 1;
  }
  std::cout << arguments[0] << std::endl;
  int number = 0;
  sigwait(&ends, &number);
  return 0;
}
