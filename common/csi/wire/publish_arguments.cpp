#include "common/csi/wire/publish_arguments.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <string_view>

#include "common/csi/proto/csi.pb.h"

namespace holdfast::csi {
namespace {

constexpr std::string_view kOfThePod = "csi.storage.k8s.io/";

/// Maps have no order of their own on the wire.
std::string in_fixed_order(const google::protobuf::Message& message) {
  std::string out;
  google::protobuf::io::StringOutputStream bytes(&out);
  google::protobuf::io::CodedOutputStream coded(&bytes);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return out;
}

}  // namespace

AccessMode access_mode_of(const ::csi::v1::VolumeCapability& capability) {
  return static_cast<AccessMode>(capability.access_mode().mode());
}

bool is_inline(const ::csi::v1::NodePublishVolumeRequest& request) {
  const auto told = request.volume_context().find("csi.storage.k8s.io/ephemeral");
  return told != request.volume_context().end() && told->second == "true";
}

Publication publication_of(const ::csi::v1::NodePublishVolumeRequest& request) {
  ::csi::v1::NodePublishVolumeRequest arguments = request;
  arguments.clear_target_path();
  arguments.clear_secrets();
  auto& context = *arguments.mutable_volume_context();
  for (auto at = context.begin(); at != context.end();) {
    at = at->first.starts_with(kOfThePod) ? context.erase(at) : std::next(at);
  }
  return {request.target_path(), in_fixed_order(arguments)};
}

}  // namespace holdfast::csi
