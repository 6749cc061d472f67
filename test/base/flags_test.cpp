#include "common/base/flags.h"

#include <map>

#include "test/catch.h"

namespace holdfast {
namespace {

struct Program {
  Program() {
    flags.heading("General");
    flags.text("name", "NAME", "what it is called", name);
    flags.boolean("loud", "say more", loud);
    flags.integer("port", "PORT", "where", 0, 65535, [this](std::int64_t number) { port = number; });
    flags.value("iface", "NAME", "may be given again", [this](const std::string& value) {
      interfaces.push_back(value);
      return Status{};
    });
  }
  Status parse(const std::vector<std::string>& arguments) { return flags.parse(arguments); }

  Flags flags;
  std::string name = "none";
  bool loud = false;
  std::int64_t port = 1;
  std::vector<std::string> interfaces;
};

TEST_CASE_METHOD(Program, "Flags are read as Go's flag package reads them", "[flags]") {
  REQUIRE(parse({"-name", "a", "--port=80", "-loud", "--iface", "eth0", "-iface=eth1"}).has_value());
  CHECK(name == "a");
  CHECK(port == 80);
  CHECK(loud);
  CHECK(interfaces == std::vector<std::string>{"eth0", "eth1"});
  REQUIRE(parse({"--loud=false", "--name=", "--name", "-x"}).has_value());
  CHECK_FALSE(loud);
  CHECK(name == "-x");
}

TEST_CASE_METHOD(Program, "An error names the flag, the value and what would do", "[flags]") {
  struct Case {
    std::vector<std::string> arguments;
    const char* message;
  };
  const Case cases[] = {
      {{"--port=65536"}, "--port '65536': is not a whole number from 0 to 65535"},
      {{"-port", "8o"}, "--port '8o': is not a whole number from 0 to 65535"},
      {{"--port="}, "--port '': is not a whole number from 0 to 65535"},
      {{"--loud=maybe"}, "--loud 'maybe': is neither true nor false"},
      {{"--nmae=x"}, "there is no flag --nmae; see --help"},
      {{"--=x"}, "there is no flag --; see --help"},
      {{"--name"}, "--name lacks its value, NAME"},
      {{"--loud", "true"},
       "argument 'true' is no flag; a flag's value stands behind '=' or a blank, a boolean's only behind "
       "'='"},
  };
  for (const Case& c : cases) {
    DYNAMIC_SECTION(c.message) {
      const Status done = parse(c.arguments);
      REQUIRE_FALSE(done.has_value());
      CHECK(done.error().code == Code::kInvalidArgument);
      CHECK(done.error().message == c.message);
    }
  }
}

TEST_CASE_METHOD(Program, "The environment sets what the command line has not", "[flags]") {
  const std::map<std::string, std::string> environment{
      {"APP_NAME", "env"}, {"APP_PORT", "99"}, {"APP_LOUD", "true"}, {"PORT", "7"}};
  const auto lookup = [&](const std::string& variable) -> std::optional<std::string> {
    const auto found = environment.find(variable);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  };
  REQUIRE(parse({"--port=80"}).has_value());
  REQUIRE(flags.parse_environment("APP_", lookup).has_value());
  CHECK(name == "env");
  CHECK(port == 80);
  CHECK(loud);
  Program other;
  CHECK(other.flags.parse_environment("X_", [](const std::string&) { return "no"; }).error().message ==
        "X_LOUD 'no': is neither true nor false");
}

TEST_CASE_METHOD(Program, "The help has every flag with its value and its heading", "[flags]") {
  const std::string help = flags.help();
  CHECK_THAT(help, Catch::StartsWith("\nGeneral\n  --name NAME "));
  CHECK_THAT(help, Catch::Contains("  --loud  ") && Catch::Contains("say more\n"));
}

}  // namespace
}  // namespace holdfast
