#include "egw-gateway/bfd/refusal.h"

#include <array>

namespace holdfast::bfd {

std::string_view to_string(Refusal refusal) {
  constexpr std::array<std::string_view, kRefusals> kNames = {
      "hop_limit",
      "size",
      "version",
      "length",
      "detect_multiplier",
      "multipoint",
      "my_discriminator",
      "your_discriminator",
      "no_session",
      "address",
      "not_authenticated",
      "unexpected_authentication",
      "authentication_type",
      "authentication_length",
      "key",
      "sequence",
      "digest",
  };
  return kNames.at(static_cast<std::size_t>(refusal));
}

}  // namespace holdfast::bfd
