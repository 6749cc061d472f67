#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "csi-lvm/nrm/node_disks.h"
#include "csi-lvm/nrm/quota_mounts.h"

namespace holdfast::nrm::test {

/// Disks in memory: 1 GiB each, blank until `probes` tells otherwise.
class FakeDisks final : public NodeDisks {
 public:
  std::vector<block::DeviceIdentity> devices;
  std::map<std::string, Probe> probes;     ///< by kernel name
  std::function<void()> after_probe = {};  ///< what happens while a pass decides

  void add(const std::string& name, const std::string& wwn) {
    block::DeviceIdentity device;
    device.kernel_name = name;
    device.wwn = wwn;
    device.size_bytes = std::uint64_t{1} << 30;
    devices.push_back(std::move(device));
    probes[name].content = block::Blank{};
  }

  Result<std::vector<block::DeviceIdentity>> list() override { return devices; }
  Result<block::DeviceIdentity> identify(const std::string& path) override {
    for (const block::DeviceIdentity& device : devices) {
      if (device_path(device.kernel_name) == path) return device;
    }
    return fail(Code::kNotFound, "there is no " + path);
  }
  Probe probe(const block::DeviceIdentity& device) override {
    if (after_probe) after_probe();
    return probes.at(device.kernel_name);
  }
};

/// Mounts in memory.
class FakeQuotaMounts final : public QuotaMounts {
 public:
  std::map<std::string, std::string> mounted;  ///< kernel name by folder
  std::vector<QuotaMount> asked;
  Status answer = {};  ///< of the next mount

  std::map<std::string, std::string> in_the_way = {};  ///< by folder

  Result<FolderFacts> look_at(const std::string& path) override {
    const auto found = mounted.find(path);
    return FolderFacts{.mounted = found == mounted.end() ? "" : found->second,
                       .in_the_way = in_the_way[path]};
  }
  Status mount(const QuotaMount& wanted, block::ProvenanceRecord& record) override {
    asked.push_back(wanted);
    HOLDFAST_CHECK(answer);
    HOLDFAST_CHECK(record.write({.kind = block::Provenance::Kind::kFormatted, .uuid = "1-2"}));
    mounted[wanted.path] = wanted.device.substr(std::string("/dev/").size());
    return {};
  }
};

}  // namespace holdfast::nrm::test
