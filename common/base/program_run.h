#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

/// A program of a name that runs in our network namespace, as /proc shows it.
struct ProgramRun {
  int pid = 0;
  /// It runs as the user that we are. What another's was told says nothing: anybody can call a program so.
  bool same_user = false;
  bool same_files = false;                    ///< it sees the files that we see: paths mean the same
  std::vector<std::string> arguments = {};    ///< behind its name; only with same_user
  std::vector<std::string> environment = {};  ///< "NAME=VALUE"; only with same_user

  /// Of its environment; nullopt when there is none of that name.
  [[nodiscard]] std::optional<std::string> variable(const std::string& name) const;
};

/// The first of the name (at most 15 bytes) that is not ourselves; nullopt when none runs.
[[nodiscard]] std::optional<int> find_program(std::string_view name,
                                              const std::filesystem::path& proc = "/proc");
/// The same, with what it was told.
[[nodiscard]] std::optional<ProgramRun> find_program_run(std::string_view name,
                                                         const std::filesystem::path& proc = "/proc");

}  // namespace holdfast
