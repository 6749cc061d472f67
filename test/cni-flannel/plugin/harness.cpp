#include "test/cni-flannel/plugin/harness.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "cni-flannel/plugin/run.h"
#include "common/base/fd.h"

namespace holdfast::test {
namespace {

Fd anonymous_file(std::string_view content) {
  Fd file(::memfd_create("stream", MFD_CLOEXEC));
  const auto size = static_cast<ssize_t>(content.size());
  if (!file.valid() || ::write(file.get(), content.data(), content.size()) != size) std::abort();
  if (::lseek(file.get(), 0, SEEK_SET) != 0) std::abort();
  return file;
}

std::string content_of(const Fd& file) {
  std::string text;
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  while ((got = ::pread(file.get(), buffer.data(), buffer.size(), static_cast<off_t>(text.size()))) > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

std::string fixture(std::string_view path) {
  const std::string file = std::string(HOLDFAST_FIXTURES) + "/" + std::string(path);
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "no fixture %s\n", file.c_str());
    std::abort();
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

Answer call(cni::Plugin& plugin, const cni::Environment& env, std::string_view config, int out) {
  const Fd in = anonymous_file(config);
  const Fd written = anonymous_file("");
  const Fd err = anonymous_file("");
  Answer answer;
  answer.status = cni::run(plugin, env, {in.get(), out < 0 ? written.get() : out, err.get()});
  answer.out = content_of(written);
  answer.err = content_of(err);
  return answer;
}

cni::Environment environment(std::string_view command) {
  cni::Environment env;
  env.command = command;
  env.container_id = "c1";
  env.netns = "/var/run/netns/c1";
  env.ifname = "eth0";
  env.path = "/opt/cni/bin";
  return env;
}

}  // namespace holdfast::test
