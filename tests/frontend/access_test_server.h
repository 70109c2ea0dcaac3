// What tests of access share: a folder, a tokens file in it, and callers with tokens.
#pragma once

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include "services/config/str_cat.h"
#include "services/frontend/token.h"
#include "tests/frontend/error_details.h"
#include "tests/frontend/test_server.h"

namespace fermata::frontend {

class AccessFolder {
 public:
  AccessFolder() {
    std::string name = testing::TempDir() + "/access-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

  // Whole or not at all, as a deployment exchanges files.
  void write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string fresh = path(name) + ".new";
    std::ofstream(fresh, std::ios::binary) << text;
    EXPECT_EQ(::chmod(fresh.c_str(), mode), 0);
    EXPECT_EQ(std::rename(fresh.c_str(), path(name).c_str()), 0);
  }

  // Adds a caller; `grants` in YAML's flow style, without the brackets.
  void add(const std::string& principal, const std::string& grants, const std::string& more = "") {
    const NewToken token = *make_token();
    tokens_[principal] = token.token;
    entries_[principal] =
        str_cat("  - { id: '", token.id, "', sha256: '", token.sha256, "', principal: ", principal,
                more, ", grants: [", grants, "] }\n");
  }
  void remove(const std::string& principal) { entries_.erase(principal); }
  void save() const {
    std::string text = "tokens:\n";
    for (const auto& [principal, entry] : entries_) text += entry;
    write("tokens.yaml", text);
  }
  const std::string& token(const std::string& principal) const { return tokens_.at(principal); }

  ServerOptions options() const {
    ServerOptions out;
    out.credentials.tokens_file = path("tokens.yaml");
    return out;
  }

 private:
  std::string path_;
  std::map<std::string, std::string> tokens_;
  std::map<std::string, std::string> entries_;
};

inline void use_token(grpc::ClientContext& context, const std::string& token) {
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
}

}  // namespace fermata::frontend
