// The table of permissions, held against the proto files.
#include "services/frontend/rpc_access.h"

#include <map>
#include <string>

#include "fermata/v1/jobs.pb.h"
#include "fermata/v1/pipelines.pb.h"
#include "fermata/v1/plugins.pb.h"
#include "gtest/gtest.h"

namespace fermata::frontend {
namespace {

// "Jobs.Submit" of every method that the API has.
std::map<std::string, int> proto_methods() {
  std::map<std::string, int> out;
  for (const auto* file : {v1::Job::descriptor()->file(), v1::Pipeline::descriptor()->file(),
                           v1::Plugin::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        ++out[file->service(s)->name() + "." + file->service(s)->method(m)->name()];
      }
    }
  }
  return out;
}

TEST(RpcAccess, EveryMethodOfTheProtoHasItsLine) {
  std::map<std::string, int> missing = proto_methods();
  EXPECT_FALSE(missing.empty());
  for (const char* name : kRpcMethodNames) {
    EXPECT_EQ(missing.erase(name), 1u) << name << " is in the table, but in no proto file";
  }
  for (const auto& [name, count] : missing) ADD_FAILURE() << name << " is missing in the table";
}

TEST(RpcAccess, NoMethodIsForEverybodyAndWhatChangesSomethingIsAudited) {
  for (const RpcAccess& access : kRpcAccess) {
    EXPECT_NE(access.permission, Permission::kNone);
    const bool reads =
        access.permission == Permission::kRead || access.permission == Permission::kCatalog;
    EXPECT_EQ(access.audited, !reads) << kRpcMethodNames[static_cast<size_t>(access.method)];
  }
}

}  // namespace
}  // namespace fermata::frontend
