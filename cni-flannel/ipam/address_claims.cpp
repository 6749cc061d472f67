#include "cni-flannel/ipam/address_claims.h"

#include <utility>

namespace holdfast::flannel {

Status AddressClaims::make(const FileOwner& owner, std::string_view boot_id, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    HOLDFAST_TRY(std::string name, files_.make_claim(owner, boot_id));
    names_.push_back(std::move(name));
  }
  return {};
}

Status AddressClaims::take(const std::vector<Choice>& choices, const FileOwner& owner) {
  std::vector<IpAddress> taken;
  for (const Choice& choice : choices) {
    if (choice.is_mine) {
      continue;
    }
    const IpAddress address = choice.assigned.address.address();
    if (Status done = files_.take(address, names_.back(), owner); !done) {
      for (const IpAddress& earlier : taken) {
        static_cast<void>(files_.remove(earlier));
      }
      return done;
    }
    names_.pop_back();
    taken.push_back(address);
  }
  return {};
}

void AddressClaims::drop_rest() {
  for (const std::string& name : names_) {
    static_cast<void>(files_.drop_claim(name));
  }
  names_.clear();
}

}  // namespace holdfast::flannel
