#include "common/base/state_folder.h"

#include <cerrno>
#include <string>

#include "test/catch.h"
#include "test/fakes/recording_files.h"
#include "test/fakes/temporary_folder.h"

namespace holdfast {
namespace {

TEST_CASE("a state folder is one process's, and the next one is told what to do", "[state folder]") {
  const test::TemporaryFolder folder;
  PosixFiles files;
  const auto state = folder / "a/b";
  {
    const auto taken = take_state_folder(files, state, "csi-lvm");
    REQUIRE(taken.has_value());
    const auto again = take_state_folder(files, state, "csi-lvm");
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().code == Code::kUnavailable);
    CHECK(again.error().message ==
          "another csi-lvm works in " + state.native() + ": end it, or give one of them another --state-dir");
  }
  CHECK(take_state_folder(files, state, "csi-lvm").has_value());
}

TEST_CASE("a state folder whose disk is full is named, with what to do", "[state folder]") {
  const test::TemporaryFolder folder;
  const auto state = folder / "state";
  for (const std::size_t call : {1U, 2U}) {
    test::RecordingFiles files(folder.path());
    files.fail_call(call, ENOSPC);
    const auto taken = take_state_folder(files, state, "csi-lvm");
    REQUIRE_FALSE(taken.has_value());
    CHECK(taken.error().code == Code::kResourceExhausted);
    CHECK(taken.error().message.ends_with("; make room in " + state.native() +
                                          ", or name another folder by --state-dir"));
  }
}

}  // namespace
}  // namespace holdfast
