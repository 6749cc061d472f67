#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/base/cidr.h"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

// What parses is what it prints, and a block's own addresses are in it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  if (const auto address = holdfast::IpAddress::parse(text)) {
    require(holdfast::IpAddress::parse(address->to_string()).value() == *address);
  }
  if (const auto cidr = holdfast::Cidr::parse(text)) {
    require(holdfast::Cidr::parse(cidr->to_string()).value() == *cidr);
    require(cidr->contains(cidr->address()) && cidr->contains(cidr->first()) && cidr->contains(cidr->last()));
    require(cidr->contains(cidr->network()) && cidr->network().contains(*cidr));
    if (const auto distance = cidr->last().distance_from(cidr->first())) {
      require(cidr->first().plus(*distance) == cidr->last());
    }
  }
  return 0;
}
