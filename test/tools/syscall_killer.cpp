// Lists the system calls by which a program changes anything, or kills it at one of them.
#include <stdlib.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "test/tools/syscall_trace.h"

namespace {

using holdfast::test::ChangePoint;
using holdfast::test::KillAt;
using holdfast::test::Stretch;
using holdfast::test::TraceEnd;
using holdfast::test::TraceRequest;

constexpr char kUsage[] =
    "usage: syscall_killer [--json FILE] [--kill-before N | --kill-after N | --halt-before N | --halt-after "
    "N]\n"
    "                      [--control FILE] [--kill all|program] [--leave NAME] [--] PROGRAM [ARGUMENT...]\n"
    "\n"
    "Runs PROGRAM and numbers the system calls by which it and its children change anything, from 1. The "
    "list goes\n"
    "to standard error, or as JSON to FILE. --kill-* kills the whole tree with SIGKILL before or after call "
    "N.\n"
    "--halt-* instead prints \"HALT N\" on standard output, keeps everything stopped there and waits: for a "
    "tester\n"
    "that takes the power away.\n"
    "--control is for a daemon: FILE says \"NAME\" or \"NAME before|after N\" whenever a point is reached. "
    "Another\n"
    "NAME than before counts from 1 again, and starts of programs are points too. Each is written to "
    "FILE.points as\n"
    "it is reached: name, number, call, target. --kill program kills PROGRAM alone: FILE.killed is made when "
    "it is gone,\n"
    "and the tracer goes on until all that PROGRAM started has ended. --leave NAME: a started "
    "program\n"
    "of this name is neither counted nor killed.\n"
    "Exit status: PROGRAM's; 77 when it was killed as asked, 78 when it ended before call N, 2 for bad "
    "usage.\n";
constexpr std::chrono::hours kDaemonPatience(12);
constexpr int kKilled = 77;
constexpr int kNotReached = 78;
constexpr int kBadUsage = 2;

struct Options {
  std::string json_file;
  bool halt = false;
  TraceRequest request;
};

bool parse_number(const char* text, std::size_t& number) {
  const char* const end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, number);
  return error == std::errc() && rest == end && number > 0;
}

/// A file that is not there, or says nothing of use, is a stretch without a name.
Stretch read_stretch(const std::string& control_file) {
  std::ifstream file(control_file);
  Stretch stretch;
  std::string side;
  KillAt at;
  file >> stretch.name;
  if (file >> side >> at.number) {
    at.after = side == "after";
    stretch.kill_at = at;
  }
  return stretch;
}

void obey(const std::string& control_file, TraceRequest& request) {
  request.count_execs = true;
  request.filter = true;
  request.on_killed = [mark = control_file + ".killed"] { const std::ofstream made(mark); };
  request.patience = kDaemonPatience;
  request.stretch = [control_file] { return read_stretch(control_file); };
  request.on_point = [list = control_file + ".points"](const Stretch& stretch, std::size_t number,
                                                       const ChangePoint& point) {
    std::ofstream(list, std::ios::app)
        << stretch.name << '\t' << number << '\t' << point.call << '\t' << point.target << '\n';
  };
}

bool parse_daemon_option(const std::string& option, const std::string& value, TraceRequest& request) {
  if (option == "--control") {
    obey(value, request);
  } else if (option == "--leave") {
    request.leave = value;
  } else if (option == "--kill" && (value == "all" || value == "program")) {
    request.kill_program_only = value == "program";
  } else {
    return false;
  }
  return true;
}

bool parse_point(const std::string& option, const char* value, Options& options) {
  KillAt at;
  if (option != "--kill-before" && option != "--kill-after" && option != "--halt-before" &&
      option != "--halt-after") {
    return false;
  }
  at.after = option.ends_with("after");
  options.halt = option.starts_with("--halt");
  if (!parse_number(value, at.number)) return false;
  options.request.kill_at = at;
  return true;
}

bool parse(int argc, char** argv, Options& options) {
  int at = 1;
  for (; at + 1 < argc && std::strncmp(argv[at], "--", 2) == 0; at += 2) {
    const std::string option = argv[at];
    if (option == "--") {
      ++at;
      break;
    }
    if (option == "--json") {
      options.json_file = argv[at + 1];
    } else if (!parse_daemon_option(option, argv[at + 1], options.request) &&
               !parse_point(option, argv[at + 1], options)) {
      return false;
    }
  }
  options.request.argv.assign(argv + at, argv + argc);
  for (char** variable = environ; *variable != nullptr; ++variable)
    options.request.env.emplace_back(*variable);
  return !options.request.argv.empty();
}

void halt_at(std::size_t number) {
  std::cout << "HALT " << number << std::endl;
  for (;;) ::pause();
}

bool report(const TraceEnd& end, const std::string& json_file) {
  nlohmann::json list = nlohmann::json::array();
  std::size_t number = 0;
  for (const ChangePoint& point : end.points) {
    ++number;
    list.push_back(
        {{"point", number}, {"thread", point.thread}, {"call", point.call}, {"target", point.target}});
    if (json_file.empty()) std::cerr << number << '\t' << point.call << '\t' << point.target << '\n';
  }
  if (json_file.empty()) return true;
  const nlohmann::json document = {{"points", list}, {"killed", end.killed}, {"exit_code", end.exit_code}};
  FILE* const file = std::fopen(json_file.c_str(), "we");
  if (file == nullptr) return false;
  const std::string text = document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fclose(file) == 0 && written;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::cerr << kUsage;
    return kBadUsage;
  }
  if (options.halt) {
    options.request.before_kill = [&](const ChangePoint&) { halt_at(options.request.kill_at->number); };
  }
  const auto end = holdfast::test::trace(options.request);
  if (!end) {
    std::cerr << "syscall_killer: " << end.error().message << '\n';
    return 1;
  }
  if (!options.request.stretch && !report(*end, options.json_file)) {
    std::cerr << "syscall_killer: can not write " << options.json_file << '\n';
    return 1;
  }
  if (end->killed) return kKilled;
  return options.request.kill_at ? kNotReached : end->exit_code;
}
