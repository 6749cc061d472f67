#include <cstddef>
#include <cstdint>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <memory>
#include <string>

#include "common/csi/methods.h"
#include "common/csi/proto/csi.pb.h"
#include "common/csi/wire/publish_arguments.h"
#include "common/csi/wire/redaction.h"
#include "common/csi/wire/validation.h"
#include "test/fuzz/fuzz_text.h"

namespace {

namespace ours = holdfast::csi;
using holdfast::fuzz::require;
namespace pb = google::protobuf;

/// The empty request of the call that the byte stands for.
std::unique_ptr<pb::Message> request_of(std::uint8_t byte) {
  const auto all = ours::methods();
  const std::string name = std::string(all[byte % all.size()].name) + "Request";
  const pb::Descriptor* type = ::csi::v1::ProbeRequest::descriptor()->file()->FindMessageTypeByName(name);
  return std::unique_ptr<pb::Message>(pb::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

}  // namespace

// The first byte chooses the call, the rest is its request as it comes from the socket.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::unique_ptr<pb::Message> request = request_of(data[0]);
  if (!request->ParseFromArray(data + 1, static_cast<int>(size - 1))) return 0;
  require(ours::loggable(*request).size() <= ours::kMaxLoggedBytes);
  const holdfast::Status done = ours::validate(*request, {.stages = true});
  if (!done) {
    // The message of an error goes to users: it is text, and short.
    require(!done.error().message.empty() && done.error().message.size() < 1024);
    return 0;
  }
  // What passes is no harm where it becomes a path.
  if (const auto* publish = dynamic_cast<const ::csi::v1::NodePublishVolumeRequest*>(request.get())) {
    const std::string target = ours::publication_of(*publish).target_path;
    require(target.starts_with('/') && target.find("/../") == std::string::npos && !target.ends_with("/.."));
    require(target.find('\0') == std::string::npos && target.size() <= ours::kMaxPathBytes);
  }
  return 0;
}
