// The command `holdfast node forget`: its arguments, and the API server that it asks.
#include <optional>
#include <random>
#include <utility>

#include "common/base/metrics.h"
#include "common/base/text.h"
#include "common/kube/config.h"
#include "common/kube/curl_http.h"
#include "csi-lvm/cluster/forget_node.h"

namespace holdfast::lvm {
namespace {

constexpr std::size_t kLongestLine = 8192;

struct CommandLine {
  std::string node{};
  std::string kubeconfig{};
  bool lose_volumes = false;
  bool help = false;
};

void add_flags(Flags& flags, CommandLine& line) {
  flags.text("kubeconfig", "FILE", "how the API server is reached [$KUBECONFIG, or as a pod]",
             line.kubeconfig);
  flags.boolean("lose-volumes", "take the objects away: what is on the node's disks is given up",
                line.lose_volumes);
  flags.boolean("help", "this text", line.help);
}

std::string help() {
  CommandLine line;
  Flags flags;
  add_flags(flags, line);
  return "holdfast node forget NODE [flags]\n\n"
         "Lists the logical volumes that are lost with a node that will not come back. With --lose-volumes "
         "their objects\nare taken away, so that claims can be deleted. Should the node come back all the "
         "same, its volumes are kept\nand told as orphans.\n\n" +
         flags.help();
}

Result<CommandLine> parse(std::span<const std::string> arguments, const Flags::Lookup& environment) {
  CommandLine line;
  line.kubeconfig = environment("KUBECONFIG").value_or("");
  std::vector<std::string> words;
  while (!arguments.empty() && !arguments.front().starts_with('-')) {
    words.push_back(arguments.front());
    arguments = arguments.subspan(1);
  }
  Flags flags;
  add_flags(flags, line);
  HOLDFAST_CHECK(flags.parse(arguments));
  if (line.help) return line;
  constexpr std::size_t kWords = 3;
  if (words.size() != kWords || words[1] != "forget") {
    return fail(Code::kInvalidArgument, "node takes: forget NODE");
  }
  line.node = words[2];
  return line;
}

/// Turns the loop until `answer` is there.
template <class T>
Result<T> wait_for(EventLoop& loop, const std::optional<Result<T>>& answer) {
  while (!answer) HOLDFAST_CHECK(loop.turn(std::chrono::seconds(1)));
  return *answer;
}

Result<CommandAnswer> run(Files& files, Clock& clock, const CommandLine& line,
                          const Flags::Lookup& environment) {
  kube::ConfigSource source;
  source.kubeconfig = line.kubeconfig;
  source.environment = environment;
  HOLDFAST_TRY(const kube::Config config, kube::load_config(files, source));
  HOLDFAST_TRY(const std::unique_ptr<EventLoop> loop, EventLoop::create(clock));
  Metrics metrics;
  HOLDFAST_TRY(const std::unique_ptr<kube::Http> http,
               kube::CurlHttp::create(*loop, config, files, metrics, "holdfast"));
  std::random_device random;
  kube::ObjectClientOptions options;
  options.field_manager = "holdfast";
  kube::ObjectClient client(*loop, *http, options, random());
  NodeForgetter forgetter(client, line.node);
  std::optional<Result<LostNode>> looked;
  forgetter.look([&looked](Result<LostNode> lost) { looked = std::move(lost); });
  HOLDFAST_TRY(const LostNode lost, wait_for(*loop, looked));
  CommandAnswer answer{.status = 0, .out = describe(line.node, lost), .error = {}};
  if (!line.lose_volumes) {
    answer.status = 1;
    answer.error = "nothing was changed; --lose-volumes gives them up\n";
    return answer;
  }
  std::optional<Result<void>> forgotten;
  forgetter.forget([&forgotten](Status done) { forgotten = std::move(done); });
  while (!forgotten) HOLDFAST_CHECK(loop->turn(std::chrono::seconds(1)));
  HOLDFAST_CHECK(*forgotten);
  answer.out += "forgotten\n";
  return answer;
}

}  // namespace

CommandAnswer answer_node_command(Files& files, Clock& clock, std::span<const std::string> arguments,
                                  const Flags::Lookup& environment) {
  const auto refuse = [](int status, const Error& error, const char* more) {
    return CommandAnswer{
        .status = status, .out = {}, .error = "holdfast: " + printable(error.message, kLongestLine) + more};
  };
  const Result<CommandLine> line = parse(arguments, environment);
  if (!line) return refuse(2, line.error(), "; see holdfast node --help\n");
  if (line->help) return {.status = 0, .out = help(), .error = {}};
  Result<CommandAnswer> answer = run(files, clock, *line, environment);
  return answer ? *std::move(answer) : refuse(1, answer.error(), "\n");
}

}  // namespace holdfast::lvm
