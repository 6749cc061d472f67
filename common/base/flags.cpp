#include "common/base/flags.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace holdfast {
namespace {

/// As strconv.ParseBool of Go takes them.
std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true" || text == "1" || text == "t" || text == "T" || text == "TRUE" || text == "True") {
    return true;
  }
  if (text == "false" || text == "0" || text == "f" || text == "F" || text == "FALSE" || text == "False") {
    return false;
  }
  return std::nullopt;
}

char to_variable(char c) {
  if (c == '-') return '_';
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

void Flags::value(std::string name, std::string placeholder, std::string help, Set set) {
  flags_.push_back({std::move(name), std::move(placeholder), std::move(help), std::move(set), false});
}

void Flags::text(std::string name, std::string placeholder, std::string help, std::string& target) {
  value(std::move(name), std::move(placeholder), std::move(help), [&target](const std::string& given) {
    target = given;
    return Status{};
  });
}

void Flags::integer(std::string name, std::string placeholder, std::string help, std::int64_t min,
                    std::int64_t max, std::function<void(std::int64_t)> set) {
  value(std::move(name), std::move(placeholder), std::move(help),
        [min, max, set = std::move(set)](const std::string& given) -> Status {
          std::int64_t number = 0;
          const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), number);
          if (error != std::errc() || end != given.data() + given.size() || number < min || number > max) {
            return fail(Code::kInvalidArgument,
                        "is not a whole number from " + std::to_string(min) + " to " + std::to_string(max));
          }
          set(number);
          return {};
        });
}

void Flags::boolean(std::string name, std::string help, bool& target) {
  value(std::move(name), "", std::move(help), [&target](const std::string& given) -> Status {
    const std::optional<bool> truth = parse_boolean(given);
    if (!truth) return fail(Code::kInvalidArgument, "is neither true nor false");
    target = *truth;
    return {};
  });
}

Flags::Set Flags::to_path(std::filesystem::path& target) {
  return [&target](const std::string& given) -> Status {
    if (!given.starts_with('/')) return fail(Code::kInvalidArgument, "is not a path that begins with '/'");
    target = given;
    return {};
  };
}

Flags::Set Flags::to_log_level(LogLevel& target) {
  return [&target](const std::string& given) -> Status {
    for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
      if (given != to_string(level)) continue;
      target = level;
      return {};
    }
    return fail(Code::kInvalidArgument, "is none of debug, info, warning, error");
  };
}

void Flags::heading(std::string text) { flags_.push_back({"", "", std::move(text), nullptr, false}); }

Flags::Flag* Flags::find(std::string_view name) {
  const auto found =
      std::ranges::find_if(flags_, [name](const Flag& flag) { return !name.empty() && flag.name == name; });
  return found == flags_.end() ? nullptr : &*found;
}

Status Flags::apply(Flag& flag, const std::string& shown, const std::string& value) {
  flag.met = true;
  Status set = flag.set(value);
  if (set) return {};
  return tl::unexpected(std::move(set).error().within(shown + " '" + value + "'"));
}

Status Flags::parse(std::span<const std::string> arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view rest = arguments[i];
    if (!rest.starts_with('-') || rest == "-" || rest == "--") {
      return fail(Code::kInvalidArgument, "argument '" + arguments[i] +
                                              "' is no flag; a flag's value stands behind '=' or a blank, a "
                                              "boolean's only behind '='");
    }
    rest.remove_prefix(rest.starts_with("--") ? 2 : 1);
    const std::size_t equals = rest.find('=');
    const std::string name(rest.substr(0, equals));
    Flag* flag = find(name);
    if (flag == nullptr) return fail(Code::kInvalidArgument, "there is no flag --" + name + "; see --help");
    std::string given = "true";
    if (equals != std::string_view::npos) {
      given = rest.substr(equals + 1);
    } else if (!flag->placeholder.empty()) {
      if (++i == arguments.size()) {
        return fail(Code::kInvalidArgument, "--" + name + " lacks its value, " + flag->placeholder);
      }
      given = arguments[i];
    }
    HOLDFAST_CHECK(apply(*flag, "--" + name, given));
  }
  return {};
}

Status Flags::parse_environment(std::string_view prefix, const Lookup& lookup) {
  for (Flag& flag : flags_) {
    if (flag.met || flag.name.empty()) continue;
    std::string variable(prefix);
    std::ranges::transform(flag.name, std::back_inserter(variable), to_variable);
    if (const std::optional<std::string> given = lookup(variable)) {
      HOLDFAST_CHECK(apply(flag, variable, *given));
    }
  }
  return {};
}

std::string Flags::help() const {
  constexpr std::size_t kColumn = 36;
  std::string out;
  for (const Flag& flag : flags_) {
    if (flag.name.empty()) {
      out += "\n" + flag.help + "\n";
      continue;
    }
    std::string line = "  --" + flag.name + (flag.placeholder.empty() ? "" : " " + flag.placeholder);
    line +=
        line.size() < kColumn ? std::string(kColumn - line.size(), ' ') : "\n" + std::string(kColumn, ' ');
    out += line + flag.help + "\n";
  }
  return out;
}

}  // namespace holdfast
