#include <cstdio>
#include <string>
#include <vector>

#include "csi-nas/directories/directory_worker.h"

// csi-nas's child for work on a share's directories: started by it, with the record of the work as
// descriptor 3.
int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words.front() == "--help") {
    std::fputs("nas-directories is started by csi-nas, for work on the directories of a share\n", stderr);
    return words.empty() ? 2 : 0;
  }
  return holdfast::nas::run_directory_worker(words);
}
