#include "csi-disk/driver/disk_requests.h"

#include "test/catch.h"

namespace holdfast::disk {
namespace {

csi::Profile profile() {
  csi::Profile out;
  out.handle_prefix = "d-";
  out.handle_serial = csi::HandleSerial::kBehindPrefix;
  return out;
}

DiskHints hints(const std::string& handle, const std::string& attached) {
  DiskHints out{.volume = handle};
  if (!attached.empty()) out.attachment["serialNumber"] = attached;
  return out;
}

TEST_CASE("a serial number is told by the attachment, the attribute or the handle", "[disk driver]") {
  CHECK(told_serial(hints("d-1", "1"), profile()).value() == "1");
  CHECK(told_serial(hints("d-1", ""), profile()).value() == "1");
  CHECK(told_serial(hints("theirs", "1"), profile()).value() == "1");
  CHECK_FALSE(told_serial(hints("theirs", ""), profile()).value().has_value());
  // As virtio keeps it.
  CHECK(told_serial(hints("d-0123456789012345678901", "01234567890123456789"), profile()).has_value());
}

TEST_CASE("an attachment that tells another disk than the handle is refused by both", "[disk driver]") {
  const auto told = told_serial(hints("d-1", "2"), profile());
  REQUIRE_FALSE(told);
  CHECK(told.error().code == Code::kFailedPrecondition);
  CHECK_THAT(told.error().message, Catch::Contains("serial number 1") && Catch::Contains("tells 2"));
  DiskHints named = hints("d-1", "2");
  named.attributes["serial"] = "2";
  CHECK(told_serial(named, profile()).value() == "2");
}

}  // namespace
}  // namespace holdfast::disk
