#include "test/csi-nas/directories/trees.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "csi-nas/directories/relative_path.h"

namespace holdfast::nas::test {
namespace {

namespace fs = std::filesystem;

constexpr int kFilesAFolder = 10;
constexpr const char* kPrecious = "precious";

std::string tell(const fs::path& path, std::map<ino_t, int>& numbers) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) throw std::runtime_error("cannot look at " + path.native());
  std::string out = std::to_string(info.st_mode) + " " + std::to_string(info.st_uid) + ":" +
                    std::to_string(info.st_gid) + " " + std::to_string(info.st_mtim.tv_sec) + "." +
                    std::to_string(info.st_mtim.tv_nsec);
  if (S_ISREG(info.st_mode)) out += " " + read_file(path);
  if (S_ISLNK(info.st_mode)) out += " -> " + fs::read_symlink(path).native();
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
    const int next = static_cast<int>(numbers.size()) + 1;
    out += " #" + std::to_string(numbers.emplace(info.st_ino, next).first->second);
  }
  return out;
}

void tell_below(const fs::path& folder, const std::string& prefix, std::map<ino_t, int>& numbers,
                std::map<std::string, std::string>& into) {
  std::map<std::string, fs::path> sorted;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    sorted.emplace(entry.path().filename().native(), entry.path());
  }
  for (const auto& [name, path] : sorted) {
    if (prefix.empty() && name == kOwnFolder) continue;
    std::string key = prefix;
    key += name;
    into.emplace(key, tell(path, numbers));
    key += '/';
    if (fs::is_directory(fs::symlink_status(path))) tell_below(path, key, numbers, into);
  }
}

}  // namespace

std::map<std::string, std::string> told(const fs::path& folder) {
  std::map<ino_t, int> numbers;
  std::map<std::string, std::string> out;
  tell_below(folder, "", numbers, out);
  return out;
}

void plant(const fs::path& folder, int files) {
  fs::create_directories(folder / "empty");
  for (int i = 0; i < files; ++i) {
    const fs::path below = folder / ("d" + std::to_string(i / kFilesAFolder));
    if (i % kFilesAFolder == 0) fs::create_directory(below);
    const fs::path file = below / ("f" + std::to_string(i));
    if (i % kFilesAFolder == 3) {
      fs::create_hard_link(below / ("f" + std::to_string(i - 1)), file);
    } else if (i % kFilesAFolder == 5) {
      fs::create_symlink("../d0/f0", file);
    } else {
      write_file(file, "content " + std::to_string(i));
    }
  }
}

void plant_hostile(const fs::path& folder, const fs::path& outside) {
  for (const std::string& name : {std::string("a\nb"), std::string(255, 'x'), std::string("..."),
                                  std::string("-rf"), std::string("\xff\xfe"), std::string(" "),
                                  std::string("*"), std::string("%2e%2e"), std::string("$(reboot)")}) {
    fs::create_directories(folder / ("in " + name.substr(0, 250)) / name);
    write_file(folder / name, name);
  }
  fs::create_directory_symlink(outside, folder / "out");
  fs::create_directory_symlink("../../../../" + outside.filename().native(), folder / "up");
  fs::create_symlink("loop", folder / "loop");
}

void plant_deep(const fs::path& folder, int levels) {
  fs::create_directories(folder);
  Fd here = open_folder(folder);
  for (int i = 0; i < levels; ++i) {
    const Fd file(::openat(here.get(), "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (!file.valid() || ::mkdirat(here.get(), "d", 0700) != 0) throw std::runtime_error("cannot plant");
    here = Fd(::openat(here.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
}

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.native());
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content(fs::file_size(path), 0);
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  return content;
}

Fd open_folder(const fs::path& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) throw std::runtime_error("cannot open " + path.native());
  return folder;
}

Share::Share(const fs::path& beside) : root(beside / "share"), outside(beside / "outside") {
  fs::create_directories(root);
  fs::create_directories(outside / "folder");
  write_file(outside / "folder" / "file", kPrecious);
}

bool Share::untouched() const { return read_file(outside / "folder" / "file") == kPrecious; }

}  // namespace holdfast::nas::test
