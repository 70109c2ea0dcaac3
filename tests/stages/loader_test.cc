// Every way in which a plugin file can be unfit: refused with its text, while the others load.
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "plugins/abi/fermata_abi.h"
#include "tests/stages/testing/loader_fixture.h"

namespace fermata {
namespace {

// Changes the note in the plugin's bytes.
template <class Change>
std::string with_note(std::string bytes, Change change) {
  const char head[] = {8, 0, 0, 0, static_cast<char>(sizeof(fermata_note) - 20), 0, 0, 0};
  const size_t at = bytes.find(std::string_view(head, sizeof head));
  EXPECT_NE(at, std::string::npos);
  fermata_note note;
  std::memcpy(&note, bytes.data() + at, sizeof note);
  change(note);
  std::memcpy(bytes.data() + at, &note, sizeof note);
  return bytes;
}

TEST_F(Loader, AnEmptyFile) {
  EXPECT_EQ(refusal_of(""),
            "PLG-101 bad.so: not an ELF shared object (empty file) - copied while being written? "
            "write to a temporary "
            "name, then mv");
}

TEST_F(Loader, ATextFile) {
  EXPECT_EQ(refusal_of("hello, this is no plugin\n"),
            "PLG-101 bad.so: not an ELF shared object (first bytes \"hell\") - copied while being "
            "written? write to a "
            "temporary name, then mv");
}

TEST_F(Loader, AFileCutShort) {
  const std::string whole = bad("good");
  const std::string cut = "PLG-101 bad.so: cut short (";
  for (size_t size : {size_t{100}, whole.size() / 2, whole.size() - 1}) {
    EXPECT_EQ(refusal_of(whole.substr(0, size)).substr(0, cut.size()), cut) << size;
  }
}

TEST_F(Loader, AnotherMachine) {
  std::string bytes = bad("good");
  const uint16_t other = bytes[18] == 62 ? 183 : 62;  // e_machine
  std::memcpy(bytes.data() + 18, &other, sizeof other);
  const std::string text = refusal_of(bytes);
  EXPECT_EQ(text, other == 183 ? "PLG-102 bad.so: built for aarch64, this server is x86_64"
                               : "PLG-102 bad.so: built for x86_64, this server is aarch64");
}

TEST_F(Loader, NoNote) {
  EXPECT_EQ(refusal_of(bad("no_note")),
            "PLG-103 bad.so: no .note.fermata section - not a fermata plugin, or FERMATA_NOTE / "
            "FERMATA_PLUGIN "
            "missing");
}

TEST_F(Loader, ANoteWithABadId) {
  EXPECT_EQ(
      refusal_of(with_note(bad("good"), [](fermata_note& note) { std::strcpy(note.id, "Good"); })),
      "PLG-104 bad.so: its id \"Good\" is not like \"org.example.fetch\" - write it with "
      "FERMATA_NOTE");
  EXPECT_EQ(
      refusal_of(
          with_note(bad("good"), [](fermata_note& note) { std::strcpy(note.version, "one"); })),
      "PLG-104 bad.so: its version \"one\" is not like \"1.2.0\" - write it with FERMATA_NOTE");
}

TEST_F(Loader, AnotherAbiMajor) {
  EXPECT_EQ(refusal_of(with_note(bad("good"), [](fermata_note& note) { note.abi_major = 2; })),
            "PLG-110 bad.so: 1.0.0 needs plugin ABI 2, this server offers 1 (1.0-1.0) - upgrade "
            "the server or build "
            "with SDK 1.x");
}

TEST_F(Loader, ANewerAbiMinor) {
  EXPECT_EQ(refusal_of(with_note(bad("good"), [](fermata_note& note) { note.min_host_minor = 4; })),
            "PLG-111 bad.so: uses ABI 1.4, server offers 1.0 - upgrade the server, or rebuild with "
            "-DFERMATA_TARGET_MINOR=0");
}

TEST_F(Loader, AFlagThatMustBeUnderstood) {
  EXPECT_EQ(refusal_of(with_note(bad("good"), [](fermata_note& note) { note.flags = 0x100; })),
            "PLG-114 bad.so: its note has flags 0x100 that this server does not know - upgrade the "
            "server");
}

TEST_F(Loader, NoSymbol) {
  EXPECT_EQ(refusal_of(bad("no_symbol")),
            "PLG-112 bad.so: no symbol fermata_plugin_v1 (exports: fermata_plugin_v2) - C++ "
            "without extern \"C\"? "
            "hidden by the version script?");
}

TEST_F(Loader, ANoteThatIsNotTheDescriptors) {
  EXPECT_EQ(refusal_of(bad("note_mismatch")),
            "PLG-113 bad.so: note says id org.a 1.2.0, descriptor says org.b 1.2.0 - one of them "
            "is stale; use "
            "FERMATA_PLUGIN, which writes both");
}

TEST_F(Loader, ADescriptorWithoutStages) {
  EXPECT_EQ(refusal_of(bad("no_stages")),
            "PLG-115 bad.so: its descriptor is wrong: 0 stages, expected 1 to 1000");
}

TEST_F(Loader, APluginThatRefusesTheServer) {
  EXPECT_EQ(refusal_of(bad("refuses_host")),
            "PLG-116 bad.so: refuses this server (ABI 1.0): fermata_plugin_v1 returned NULL");
}

TEST_F(Loader, AMissingDependency) {
  EXPECT_EQ(refusal_of(replaced(bad("good"), "libc.so.6", "libx.so.6")),
            "PLG-120 bad.so: needs libx.so.6, not found (run path none; ld.so.cache searched) - "
            "install it or link "
            "statically");
}

TEST_F(Loader, AnUndefinedSymbol) {
  EXPECT_EQ(refusal_of(bad("undefined")),
            "PLG-121 bad.so: undefined symbol vips_foo (RTLD_NOW) - link with -Wl,-z,defs to catch "
            "this at build time");
}

TEST_F(Loader, ANewerLibc) {
  const std::string text = refusal_of(replaced(bad("good"), "GLIBC_2.2.5", "GLIBC_9.2.5"));
  EXPECT_EQ(text.substr(0, text.find(", server has")), "PLG-122 bad.so: needs GLIBC_9.2.5") << text;
}

TEST_F(Loader, AFileThatOthersMayWrite) {
  const std::string text = refusal_of(bad("isolate"), 0664);
  EXPECT_EQ(text.substr(0, 38), "PLG-130 bad.so: group-writable (0664 r") << text;
  const std::string world = refusal_of(bad("isolate"), 0646);
  EXPECT_EQ(world.substr(0, 38), "PLG-130 bad.so: world-writable (0646 r") << world;
}

TEST_F(Loader, ASymbolicLink) {
  ASSERT_EQ(::symlink((folder() + "/a.so").c_str(), (folder() + "/bad.so").c_str()), 0);
  EXPECT_EQ(load_and_refuse(),
            "PLG-130 bad.so: is a symbolic link - copy the plugin itself into the folder");
}

TEST_F(Loader, ADirectory) {
  ASSERT_EQ(::mkdir((folder() + "/bad.so").c_str(), 0755), 0);
  EXPECT_EQ(load_and_refuse(), "PLG-130 bad.so: is not a regular file");
}

TEST_F(Loader, TheSamePluginTwice) {
  const std::string text = refusal_of(bad("good"));
  EXPECT_EQ(text.substr(0, 71),
            "PLG-132 bad.so: org.example.good 1.0.0 is already loaded from a.so (1.0")
      << text;
}

TEST_F(Loader, SymbolsThatVersionsWouldShare) {
  EXPECT_EQ(refusal_of(bad("unique")),
            "PLG-140 bad.so: 1 STB_GNU_UNIQUE symbols (first: shared_by_all) would share state "
            "between versions - "
            "link with the SDK's version script (plugins/sdk/plugin.map)");
}

TEST_F(Loader, StaticThreadLocalStorage) {
  EXPECT_EQ(
      refusal_of(bad("static_tls")),
      "PLG-141 bad.so: DF_STATIC_TLS: such a plugin can be loaded only a few times - build with "
      "-ftls-model=global-dynamic");
}

TEST_F(Loader, APluginThatWantsAProcessOfItsOwn) {
  options.placements.program = "";
  EXPECT_EQ(refusal_of(bad("isolate")),
            "PLG-143 bad.so: is to run in a process of its own, and this server has no "
            "fermata-plugin-host beside it - install it, or name it as plugins.host");
  options.placements.plugins["isolate"].placement = Placement::kInproc;
  EXPECT_EQ(refusal_of(bad("isolate")),
            "PLG-143 bad.so: asks for a process of its own (FERMATA_PLUGIN_ISOLATE), "
            "plugins.isolation says placement: inproc - leave that out");
}

TEST_F(Loader, HiddenAndTemporaryFilesAreNotLookedAt) {
  put(".hidden.so", "no plugin");
  put("plugin.so.tmp", "no plugin");
  put("README.md", "no plugin");
  EXPECT_EQ(refusal_of("text").substr(0, 15), "PLG-101 bad.so:");
}

TEST_F(Loader, AFolderThatOthersMayWriteLoadsNothing) {
  put("a.so", bad("good"));
  ASSERT_EQ(::chmod(folder().c_str(), 0777), 0);
  EpollLoop loop;
  Loop* base = &loop;
  const StagesOptions* given = &options;
  const absl::Status status = loop.run(
      [](const StagesOptions* options, Loop* loop) -> Co<absl::Status> {
        PluginHost host(*loop, *options);
        LoadReport report = co_await host.load_all();
        EXPECT_EQ(report.loaded, 0u);
        co_await host.close();
        co_return report.status;
      },
      given, base);
  EXPECT_EQ(std::string(status.message()).substr(0, 8), "PLG-130 ") << status;
}

TEST_F(Loader, OverwritingTheFileDoesNotReachTheLoadedPlugin) {
  put_plugin("z.so", "tests/abi/upper.so");
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    test.put("z.so", "overwritten in place");
    StageOutcome outcome = co_await call_stage(host, "plain/upper", "\"abc\"");
    EXPECT_EQ(outcome.output.view(), "\"ABC\"");
    struct stat info;
    const std::string copy = test.options.private_dir + "/" + host.list().at(0).sha256 + ".so";
    EXPECT_EQ(::stat(copy.c_str(), &info), 0) << copy;
    EXPECT_EQ(info.st_mode & 07777, 0500u);
    co_return outcome.status;
  });
}

TEST_F(Loader, NamesResolveInEveryForm) {
  put("a.so", bad("good"));
  run([](PluginHost& host, HostFixture& test) -> Co<absl::Status> {
    for (const char* use : {"good/noop", "org.example.good/noop", "good/noop@1.0.0",
                            "good/noop@1.0", "good/noop@1"}) {
      EXPECT_TRUE(host.resolve(use).ok()) << use;
    }
    EXPECT_EQ(host.resolve("good/nop").status().message(),
              "no stage 'good/nop', did you mean 'good/noop'?");
    EXPECT_EQ(host.resolve("good/noop@2").status().message(),
              "no version 2 of 'good/noop', only 1.0.0");
    EXPECT_FALSE(host.resolve("good/noop@1.0.").ok());
    EXPECT_FALSE(host.resolve("").ok());
    co_return absl::OkStatus();
  });
}

}  // namespace
}  // namespace fermata
