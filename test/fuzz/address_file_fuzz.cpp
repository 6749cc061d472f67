#include "cni-flannel/ipam/address_files.h"
#include "cni-flannel/ipam/binding_import.h"
#include "test/fuzz/fuzz_text.h"

// An owner that is read is one that can be written, and a reservation names its three parts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::fuzz::require;
  const std::string_view text = holdfast::fuzz::text_of(data, size);
  if (const auto owner = holdfast::flannel::parse_owner(text)) {
    require(!owner->container_id.empty());
    require(holdfast::flannel::parse_owner(holdfast::flannel::format_owner(*owner)) == owner);
  }
  if (const auto reservation = holdfast::flannel::parse_openyurt_name(text)) {
    require(!reservation->name_space.empty() && !reservation->pod.empty());
  }
  return 0;
}
