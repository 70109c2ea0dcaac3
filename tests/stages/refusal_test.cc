// The refusals that take more than a wrong byte or two: the folder, the linker, the dynamic loader,
// init(). loader_test has the others; tests/tidy sees to it that every number is in some test.
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "services/stages/plugin_folder.h"
#include "tests/stages/testing/loader_fixture.h"

namespace fermata {
namespace {

using Refusal = Loader;

TEST_F(Refusal, AFileTooLargeToBeAPluginIsNotRead) {
  put("bad.so", "");
  ASSERT_EQ(::truncate((folder() + "/bad.so").c_str(), (off_t{1} << 30) + 1), 0);
  EXPECT_EQ(load_and_refuse(), "PLG-100 bad.so: has 1073741825 bytes, at most 1073741824 are read");
}

TEST_F(Refusal, AFileThatIsGoneBeforeItIsRead) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    FileReport report = co_await host.load_file("gone.so", LoadReason::kDropped);
    EXPECT_EQ(report.status.message(),
              "PLG-100 gone.so: cannot be opened: No such file or directory");
    co_return absl::OkStatus();
  });
}

TEST_F(Refusal, NoRoomForTheCopy) {
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    std::filesystem::remove_all(test.options.private_dir);
    test.put("bad.so", Loader::bad("good"));
    FileReport report = co_await host.load_file("bad.so", LoadReason::kDropped);
    const std::string text(report.status.message());
    EXPECT_EQ(text.substr(0, 48), "PLG-100 bad.so: cannot be copied: cannot create ") << text;
    co_return absl::OkStatus();
  });
}

TEST_F(Refusal, InitThatFails) {
  EXPECT_EQ(refusal_of(bad("init_fails")), "PLG-117 bad.so: init() returned E_UNAVAILABLE");
}

TEST_F(Refusal, WhatOnlyTheDynamicLoaderKnows) {
  std::string bytes = bad("wrong_schema");
  bytes[7] = 9;  // e_ident[EI_OSABI]: FreeBSD
  const std::string text = refusal_of(bytes);
  EXPECT_EQ(text.substr(0, 48), "PLG-119 bad.so: the dynamic loader refused it: /") << text;
  EXPECT_NE(text.find("OS ABI invalid"), std::string::npos) << text;
}

TEST_F(Refusal, ARunPathThatOthersMayFill) {
  EXPECT_EQ(refusal_of(bad("run_path")),
            "PLG-123 bad.so: its run path is /opt/else/lib, only $ORIGIN may be - whoever writes "
            "there would be trusted");
}

TEST_F(Refusal, ALibraryOfItsOwnBesideIt) {
  put("libx.so.6", "a library that the system does not have");
  EXPECT_EQ(refusal_of(replaced(bad("private_library"), "libc.so.6", "libx.so.6")),
            "PLG-142 bad.so: private dependency libx.so.6: the next version would silently get "
            "this one's - link it statically");
}

TEST_F(Refusal, CodeThatIsWrittenWhileItIsLoaded) {
  EXPECT_EQ(refusal_of(bad("text_relocation")),
            "PLG-144 bad.so: has text relocations (DT_TEXTREL) - build with -fPIC");
}

TEST_F(Refusal, AStackThatMayBeExecuted) {
  EXPECT_EQ(refusal_of(bad("executable_stack")),
            "PLG-145 bad.so: asks for an executable stack - link with -Wl,-z,noexecstack");
}

TEST_F(Refusal, CodeThatIsMappedAlready) {
  put("a.so", bad("good"));
  ASSERT_TRUE(open_plugin_folder(options.folder, options.private_dir).ok());
  const TakenPlugin taken =
      take_plugin("a.so", {options.folder, options.private_dir, "", HostFacts::here()});
  ASSERT_EQ(taken.status, absl::OkStatus());
  absl::StatusOr<std::unique_ptr<LoadedPlugin>> first = map_plugin(taken, "", {});
  ASSERT_TRUE(first.ok()) << first.status();
  // The same path again, as if it held other bytes by now: the loader gives what it has.
  EXPECT_EQ(map_plugin(taken, "", {(*first)->image()}).status().message(),
            "PLG-146 a.so: the dynamic loader answered with code that is loaded already - restart "
            "the server");
}

TEST_F(Refusal, ASchemaThatIsNone) {
  const std::string text = refusal_of(bad("wrong_schema"));
  EXPECT_EQ(text.substr(0, text.find(": /type")),
            "PLG-151 org.example.wrongschema/noop: its config_schema is wrong")
      << text;
}

}  // namespace
}  // namespace fermata
