#include "csi-nas/cluster/object_calls.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/on_loop.h"

namespace holdfast::nas {

using nlohmann::json;

Result<json> ObjectCalls::wait_for(std::chrono::milliseconds patience, const Begin& begin) {
  return on_loop<json>(loop_, patience, [this, begin](std::function<void(Result<json>)> done) {
    const std::uint64_t key = ++last_;
    calls_[key] = begin([this, key, done = std::move(done)](Result<json> answer) {
      done(std::move(answer));
      calls_.erase(key);
    });
  });
}

}  // namespace holdfast::nas
