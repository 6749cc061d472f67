#include <nlohmann/json.hpp>

#include "csi-lvm/cluster/node_storage.h"
#include "csi-lvm/cluster/storage_names.h"
#include "csi-lvm/cluster/volume_object.h"
#include "test/fuzz/fuzz_text.h"

namespace {

using namespace holdfast::lvm;
using holdfast::JsonObject;
using holdfast::fuzz::require;
using nlohmann::json;

template <class Status>
json with_status(json object, const Status& status) {
  object["status"] = encode_status(status);
  return object;
}

}  // namespace

// What is decoded is encoded and decoded to the same, and figures of any shape make a book that answers.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto document = holdfast::parse_json(holdfast::fuzz::text_of(data, size));
  if (!document || !document->is_object()) return 0;
  const JsonObject object(&*document, "");
  if (const auto volume = decode_logical_volume(object)) {
    const json again = with_status(encode_logical_volume(volume->spec), volume->status);
    const auto twice = decode_logical_volume(JsonObject(&again, ""));
    // the kind of a source that is not there is not kept
    require(twice && twice->spec.source == volume->spec.source && twice->status == volume->status);
    require(twice->has_finalizer() && twice->id.name.size() <= 253);
  }
  if (const auto storage = decode_node_storage(object)) {
    const json again = with_status(encode_node_storage(storage->id.name, storage->topology), storage->status);
    const auto twice = decode_node_storage(JsonObject(&again, ""));
    require(twice && twice->topology == storage->topology && twice->status == storage->status);
    require(inventory_of(storage->status.groups).groups.size() == storage->status.groups.size());
  }
  return 0;
}
