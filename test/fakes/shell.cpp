#include "test/fakes/shell.h"

#include <array>
#include <cstdio>
#include <stdexcept>

namespace holdfast::test {

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string out;
  std::array<char, 4096> piece{};
  while (const std::size_t got = std::fread(piece.data(), 1, piece.size(), pipe))
    out.append(piece.data(), got);
  if (::pclose(pipe) != 0) throw std::runtime_error(command + ": " + out);
  return out;
}

}  // namespace holdfast::test
