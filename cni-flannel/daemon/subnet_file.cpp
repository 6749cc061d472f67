#include "cni-flannel/daemon/subnet_file.h"

#include <sys/types.h>

#include <string_view>

#include "common/base/state_file.h"

namespace holdfast::flannel {
namespace {

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;
constexpr std::size_t kMaxBytes = 4096;

Result<std::optional<SubnetFile::Family>> family_of(const std::optional<AddressPool>& pool,
                                                    const NodeNetwork& own) {
  if (!pool) return std::nullopt;
  const Cidr* subnet = own.pod_cidr(pool->network.family());
  if (subnet == nullptr) {
    return fail(
        Code::kFailedPrecondition,
        "node " + own.node + " has no pod CIDR yet in " + pool->network.to_string() +
            ": no document or object tells one. Is that the node's name (--node-name)? In a cluster the "
            "controller manager (--allocate-node-cidrs) or our controller gives it");
  }
  if (!pool->network.contains(*subnet)) {
    return fail(Code::kFailedPrecondition, "the pod CIDR " + subnet->to_string() + " of node " + own.node +
                                               " is not in the cluster's network " +
                                               pool->network.to_string() +
                                               " (Network and IPv6Network in net-conf.json)");
  }
  return SubnetFile::Family{pool->network, *subnet};
}

void append(std::string& out, const std::optional<SubnetFile::Family>& family, std::string_view prefix) {
  if (!family) return;
  const std::string gateway = family->subnet.first().plus(1).value_or(family->subnet.first()).to_string();
  out.append("FLANNEL_").append(prefix).append("NETWORK=").append(family->network.to_string()).append("\n");
  out.append("FLANNEL_").append(prefix).append("SUBNET=").append(gateway);
  out.append("/").append(std::to_string(family->subnet.prefix())).append("\n");
}

}  // namespace

Result<SubnetFile> subnet_file_of(const NetConf& conf, const NodeNetwork& own, std::uint32_t mtu,
                                  bool masquerade) {
  SubnetFile out;
  HOLDFAST_TRY(out.ipv4, family_of(conf.ipv4, own));
  HOLDFAST_TRY(out.ipv6, family_of(conf.ipv6, own));
  out.mtu = mtu;
  out.masquerade = masquerade;
  return out;
}

std::string format_subnet_file(const SubnetFile& file) {
  std::string out;
  append(out, file.ipv4, "");
  append(out, file.ipv6, "IPV6_");
  out += "FLANNEL_MTU=" + std::to_string(file.mtu) + "\n";
  out += std::string("FLANNEL_IPMASQ=") + (file.masquerade ? "true" : "false") + "\n";
  return out;
}

Status write_subnet_file(Files& files, const std::filesystem::path& path, const SubnetFile& file) {
  const std::string content = format_subnet_file(file);
  const Result<std::optional<std::string>> present = files.read(path, kMaxBytes);
  if (present && *present == content) return {};
  HOLDFAST_CHECK(files.make_folders(path.parent_path(), kFolderMode));
  return replace_file(files, path, content, kFileMode);
}

}  // namespace holdfast::flannel
