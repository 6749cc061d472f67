#pragma once

#include <chrono>
#include <google/protobuf/text_format.h>
#include <string>

#include "common/csi/driver.h"
#include "common/csi/proto/csi.pb.h"
#include "test/catch.h"

/// What the tests of drivers share, of either side.
namespace holdfast::csi::test {

class PatientCall final : public Call {
 public:
  [[nodiscard]] bool cancelled() const override { return false; }
  [[nodiscard]] std::chrono::nanoseconds time_left() const override {
    return std::chrono::nanoseconds::max();
  }
};

template <class Message>
Message message(const std::string& text) {
  Message out;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &out));
  return out;
}

inline void refuses(const Status& done, Code code) {
  REQUIRE_FALSE(done.has_value());
  INFO(done.error().message);
  CHECK(done.error().code == code);
}
template <class T>
void refuses(const Result<T>& done, Code code) {
  refuses(done ? Status{} : Status(tl::unexpected(done.error())), code);
}

}  // namespace holdfast::csi::test
