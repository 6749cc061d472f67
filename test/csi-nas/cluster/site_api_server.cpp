// An API server with csi-nas's kinds, for programs in a guest (test/kernel/nas/site_story.py).
//
//     nas_site_api_server ADDRESS PORT NODE=POOL...
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "test/kube_server/api_server_thread.h"
#include "test/kube_server/manifest_kinds.h"

int main(int argc, char** argv) {
  using holdfast::test::ApiServer;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 3) {
    std::cerr << "nas_site_api_server ADDRESS PORT NODE=POOL...\n";
    return 2;
  }
  holdfast::test::ApiServerThread server(
      {.address = words[0], .port = static_cast<std::uint16_t>(std::stoul(words[1]))});
  server.with([&words](ApiServer& api) {
    for (const char* plural : {"nasvolumes", "nastasks"}) {
      holdfast::test::define_kind(api, std::string(HOLDFAST_MANIFESTS "/base/csi-nas/") + plural + ".yaml");
    }
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::size_t sign = words[i].find('=');
      const std::string pool = words[i].substr(sign + 1);
      api.put("/api/v1/nodes/" + words[i].substr(0, sign),
              {{"metadata", {{"labels", {{"apps.openyurt.io/nodepool", pool}}}}}});
    }
  });
  std::cout << server.url() << std::endl;
  while (true) ::pause();
}
