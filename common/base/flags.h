#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/log.h"
#include "common/base/result.h"

namespace holdfast {

/// The value of a variable of this process; nullopt when there is none.
[[nodiscard]] std::optional<std::string> environment_variable(const std::string& name);

/// The flags of a program, read as Go's flag package reads them, so that the arguments in manifests of the
/// programs that ours take the place of still work: one dash or two, `--name=value` or `--name value`, a
/// boolean as `--name` or `--name=false`. A flag given twice is set twice. What a flag's name is in the
/// environment: a prefix, and the name in upper case with '_' for '-'.
class Flags {
 public:
  /// Stores a value, or says what is wrong with it: "is not a port (0..65535)".
  using Set = std::function<Status(const std::string& value)>;
  using Lookup = std::function<std::optional<std::string>(const std::string& name)>;

  /// A flag with a value, which the help calls `placeholder`.
  void value(std::string name, std::string placeholder, std::string help, Set set);
  void text(std::string name, std::string placeholder, std::string help, std::string& target);
  void integer(std::string name, std::string placeholder, std::string help, std::int64_t min,
               std::int64_t max, std::function<void(std::int64_t)> set);
  void boolean(std::string name, std::string help, bool& target);
  /// Takes a path that begins with '/'.
  [[nodiscard]] static Set to_path(std::filesystem::path& target);
  /// Takes debug, info, warning or error.
  [[nodiscard]] static Set to_log_level(LogLevel& target);
  /// A line of the help between groups of flags.
  void heading(std::string text);

  /// Arguments without the program's name. Errors: kInvalidArgument, naming the flag, the value and what
  /// would do; also for an argument that is no flag.
  Status parse(std::span<const std::string> arguments);
  /// Sets the flags that parse() has not met. Errors: as parse(), naming the variable.
  Status parse_environment(std::string_view prefix, const Lookup& lookup);

  /// One line a flag, in the order in which they were added.
  [[nodiscard]] std::string help() const;

 private:
  struct Flag {
    std::string name;
    std::string placeholder;  // empty: a boolean, or a heading when there is no name
    std::string help;
    Set set;
    bool met = false;
  };
  Flag* find(std::string_view name);
  static Status apply(Flag& flag, const std::string& shown, const std::string& value);

  std::vector<Flag> flags_;
};

}  // namespace holdfast
