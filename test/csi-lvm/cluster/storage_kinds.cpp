#include "test/csi-lvm/cluster/storage_kinds.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "common/yaml/yaml.h"
#include "csi-lvm/cluster/storage_names.h"

namespace holdfast::lvm::test {

std::string plain_kubeconfig(const std::string& url) {
  return "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
         "clusters: [{name: c, cluster: {server: '" +
         url + "'}}]\nusers: [{name: u, user: {}}]\n";
}

void define_storage_kinds(holdfast::test::ApiServer& server) {
  for (const std::string plural : {kLogicalVolumePlural, kNodeStoragePlural}) {
    std::ifstream file(std::string(HOLDFAST_MANIFESTS "/base/csi-lvm/") + plural + ".yaml");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    server.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + plural + ".storage.holdfast.dev",
               parse_yaml(text).value().front());
    server.establish();
  }
}

}  // namespace holdfast::lvm::test
