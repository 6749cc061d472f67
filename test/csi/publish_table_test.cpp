#include "common/csi/publish_table.h"

#include <array>
#include <vector>

#include "test/catch.h"

namespace holdfast::csi {
namespace {

using Mode = AccessMode;
constexpr auto kThere = Code::kUnknown;  // stands for "is published already"
constexpr auto kGoOn = Code::kCancelled;

Code answer(Mode mode, const Publication& wanted, const std::vector<Publication>& present) {
  const Result<PublishAnswer> out = second_publish(mode, wanted, present);
  if (!out) return out.error().code;
  return *out == PublishAnswer::kPublished ? kThere : kGoOn;
}

TEST_CASE("A second NodePublishVolume is answered by the specification's table", "[csi]") {
  struct Row {
    const char* name;
    Mode mode;
    Code same_target_other_arguments;
    Code other_target;
  };
  const auto row = GENERATE(values<Row>({
      {"single writer", Mode::kSingleNodeSingleWriter, Code::kAlreadyExists, Code::kFailedPrecondition},
      {"writer of one node", Mode::kSingleNodeWriter, Code::kAlreadyExists, Code::kFailedPrecondition},
      {"reader of one node", Mode::kSingleNodeReaderOnly, Code::kAlreadyExists, Code::kFailedPrecondition},
      {"writers of one node", Mode::kSingleNodeMultiWriter, Code::kAlreadyExists, kGoOn},
      {"readers", Mode::kMultiNodeReaderOnly, Code::kAlreadyExists, kGoOn},
      {"one writer of all", Mode::kMultiNodeSingleWriter, Code::kAlreadyExists, kGoOn},
      {"writers", Mode::kMultiNodeMultiWriter, Code::kAlreadyExists, kGoOn},
  }));
  const std::vector<Publication> present = {{"/pods/0/mount", "rw"}, {"/pods/1/mount", "rw"}};
  DYNAMIC_SECTION(row.name) {
    CHECK(answer(row.mode, {"/pods/1/mount", "rw"}, present) == kThere);
    CHECK(answer(row.mode, {"/pods/1/mount", "ro"}, present) == row.same_target_other_arguments);
    CHECK(answer(row.mode, {"/pods/2/mount", "rw"}, present) == row.other_target);
    CHECK(answer(row.mode, {"/pods/2/mount", "ro"}, present) == row.other_target);
    CHECK(answer(row.mode, {"/pods/2/mount", "rw"}, {}) == kGoOn);
  }
}

TEST_CASE("A refused publication names the place that is in the way", "[csi]") {
  const std::vector<Publication> present = {{"/pods/1/mount", "rw"}};
  CHECK(second_publish(Mode::kSingleNodeWriter, {"/pods/2/mount", "rw"}, present).error().message ==
        "the access mode allows one place on a node, and /pods/1/mount has the volume");
  CHECK(second_publish(Mode::kMultiNodeMultiWriter, {"/pods/1/mount", "ro"}, present).error().message ==
        "/pods/1/mount has this volume with other arguments; unpublish it there before it is changed");
}

}  // namespace
}  // namespace holdfast::csi
