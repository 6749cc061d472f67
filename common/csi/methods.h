#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace holdfast::csi {

/// What a call works on, one operation at a time.
enum class Holds : std::uint8_t { kNothing, kVolume, kSnapshot };

/// A call of CSI, and what is done about it whichever driver serves it.
struct Method {
  std::string_view name;      ///< "NodeStageVolume"; its request is csi.v1.<name>Request
  std::string_view id_field;  ///< of the request: what the call is about, for the log; empty: nothing
  /// What `id_field` is held as while the call runs. A volume that is being created is held by its name,
  /// which is its id or, where it is not, harmless.
  Holds holds = Holds::kNothing;
  bool quiet = false;  ///< asked for all the time: a success is logged for debugging only
  bool makes = false;  ///< may leave something behind that only the same call finds again
};

/// All of them.
[[nodiscard]] std::span<const Method> methods();
/// The one whose request has that name, without the package: "NodeStageVolumeRequest". Ends the program
/// (std::terminate) when there is none.
[[nodiscard]] const Method& method_of_request(std::string_view request_name);

}  // namespace holdfast::csi
