// The probe: whatever a plugin does when it first runs, it does to another process, and the text
// says what it was.
#include <cstdlib>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "services/stages/plugin_probe.h"
#include "tests/stages/testing/host_fixture.h"

namespace fermata {
namespace {

constexpr char kProgram[] = "services/plugin_host/fermata-plugin-host";

absl::Status probe_of(const std::string& version, const std::string& config = "{}",
                      absl::Duration limit = absl::Seconds(60)) {
  ProbeSubject subject;
  subject.file = "p.so";
  subject.path = "tests/stages/versions/" + version + ".so";
  subject.id = "org.example.versioned";
  subject.version = "1.3.0";
  subject.config = config;
  return probe_plugin(subject, ProbeOptions{kProgram, limit});
}

TEST(Probe, AGoodPluginPasses) { EXPECT_EQ(probe_of("v1_1"), absl::OkStatus()); }

TEST(Probe, ACrashInCreateNamesTheSignalAndTheStage) {
  EXPECT_EQ(probe_of("v1_3_create_crashes").message(),
            "PLG-161 org.example.versioned/version 1.3.0: create() died in the probe with SIGSEGV "
            "- server not affected");
}

TEST(Probe, AHangIsKilledAtTheLimit) {
  EXPECT_EQ(probe_of("v1_3_create_hangs", "{}", absl::Seconds(2)).message(),
            "PLG-162 org.example.versioned/version 1.3.0: create() did not return within 2s in the "
            "probe - server not affected");
}

TEST(Probe, ExitInAConstructor) {
  EXPECT_EQ(probe_of("v1_3_constructor_exits").message(),
            "PLG-163 org.example.versioned 1.3.0: called exit(1) in a constructor - the process is "
            "the server's; return an error instead");
}

TEST(Probe, ExitInCreate) {
  EXPECT_EQ(probe_of("v1_3_create_exits").message(),
            "PLG-163 org.example.versioned/version 1.3.0: called exit(3) in create() - the process "
            "is the server's; return an error instead");
}

TEST(Probe, AProcessLeftBehindIsSeenAtOnceAndEnded) {
  EXPECT_EQ(probe_of("v1_3_create_forks").message(),
            "PLG-163 org.example.versioned 1.3.0: started a process that goes on after it - the "
            "server's process is not its to fork; ask for a process of its own with "
            "FERMATA_PLUGIN_ISOLATE");
}

TEST(Probe, CreateThatFailsSaysWhatItWouldSayHere) {
  EXPECT_EQ(probe_of("v1_3_create_fails").message(),
            "PLG-160 org.example.versioned/version: create() returned E_UNAVAILABLE: no reason "
            "given");
}

TEST(Probe, ADryCallThatFails) {
  EXPECT_EQ(probe_of("v1_3_probe_fails").message(),
            "PLG-170 org.example.versioned/version 1.3.0: probe call failed: INTERNAL: "
            "\"versioned/version returned E_INTERNAL and gave no reason\"");
}

TEST(Probe, AnInstanceThatNeverLetsGo) {
  EXPECT_EQ(
      probe_of("v1_3_never_lets_go").message(),
      "PLG-162 org.example.versioned: destroy() was not reached: it did not let go of its ops "
      "in the probe");
}

// In the server's own process a plugin sees all of its environment; the probe only what is
// configured, or such a plugin could never be loaded.
class ProbeEnvironment : public HostFixture {};

TEST_F(ProbeEnvironment, IsWhatTheConfigurationGivesThePlugin) {
  ASSERT_EQ(::setenv("FERMATA_TEST_WORD", "please", 1), 0);
  put_plugin("p.so", "tests/stages/versions/v1_3_create_needs_a_word.so");
  options.probe = ProbeOptions{kProgram, absl::Seconds(60)};
  const Body nothing = [](PluginHost&, HostFixture&) -> Co<absl::Status> {
    co_return absl::OkStatus();
  };
  run(nothing);
  ASSERT_EQ(report.refusals.size(), 1u);
  EXPECT_EQ(report.refusals[0].substr(0, 7), "PLG-160");
  options.placements.plugins["versioned"].confinement.environment = {"FERMATA_TEST_WORD"};
  run(nothing);
  EXPECT_EQ(report.refusals, std::vector<std::string>());
  EXPECT_EQ(report.loaded, 1u);
}

TEST(Probe, AProgramThatIsNotThere) {
  ProbeSubject subject;
  subject.file = "p.so";
  EXPECT_EQ(probe_plugin(subject, ProbeOptions{"/nowhere/fermata-plugin-host"}).message(),
            "PLG-164 p.so: cannot be probed: /nowhere/fermata-plugin-host: No such file or "
            "directory - install fermata-plugin-host beside fermatad");
}

}  // namespace
}  // namespace fermata
