// A folder of its own for one test, and short ways to look into it.
#ifndef FERMATA_TESTS_PLUGINS_FILE_TEMP_FOLDER_H_
#define FERMATA_TESTS_PLUGINS_FILE_TEMP_FOLDER_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace fermata::file {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "fermata-file-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path(const std::string& name = "") const {
    return name.empty() ? path_ : path_ + "/" + name;
  }
  void put(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  std::string get(const std::string& name) const {
    std::ifstream in(path(name), std::ios::binary);
    if (!in) return "(no such file)";
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  // Names of the folder `name`, sorted.
  std::vector<std::string> names(const std::string& name = "") const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(path(name))) {
      out.push_back(entry.path().filename());
    }
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  std::string path_;
};

}  // namespace fermata::file

#endif  // FERMATA_TESTS_PLUGINS_FILE_TEMP_FOLDER_H_
