#pragma once

#include <string>
#include <utility>

#include "cni-flannel/plugin/plugin.h"
#include "cni-flannel/plugin/subnet_env.h"

namespace holdfast::test {

/// Decodes everything that flannel's plugin would, on a node with this lease, and does nothing. ADD answers
/// with the prevResult, if there is a good one.
class DecodingPlugin final : public cni::Plugin {
 public:
  explicit DecodingPlugin(flannel::SubnetEnv lease) : lease_(std::move(lease)) {}

  [[nodiscard]] std::string about() const override { return "decodes\n"; }
  cni::CniResult<cni::AddResult> add(const cni::Request& request) override;
  cni::CniStatus del(const cni::Request& request) override { return decode(request); }
  cni::CniStatus check(const cni::Request& request) override;
  cni::CniStatus gc(const cni::Request& request) override { return decode(request); }
  cni::CniStatus status(const cni::Request& request) override { return decode(request); }

 private:
  [[nodiscard]] cni::CniStatus decode(const cni::Request& request) const;

  flannel::SubnetEnv lease_;
};

}  // namespace holdfast::test
