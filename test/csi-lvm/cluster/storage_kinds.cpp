#include "test/csi-lvm/cluster/storage_kinds.h"

#include <string>

#include "csi-lvm/cluster/storage_names.h"
#include "test/kube_server/manifest_kinds.h"

namespace holdfast::lvm::test {

std::string plain_kubeconfig(const std::string& url) {
  return "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
         "clusters: [{name: c, cluster: {server: '" +
         url + "'}}]\nusers: [{name: u, user: {}}]\n";
}

void define_storage_kinds(holdfast::test::ApiServer& server) {
  for (const std::string plural : {kLogicalVolumePlural, kNodeStoragePlural}) {
    holdfast::test::define_kind(server, HOLDFAST_MANIFESTS "/base/csi-lvm/" + plural + ".yaml");
  }
}

}  // namespace holdfast::lvm::test
