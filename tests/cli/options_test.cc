#include "services/cli/options.h"

#include "fermata/v1/jobs.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/cli/list_states.h"

namespace fermata::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::variant<Options, ParseStop> parse(std::vector<const char*> arguments,
                                       const OptionsEnvironment& environment = {}) {
  arguments.insert(arguments.begin(), "fermata");
  return parse_options(static_cast<int>(arguments.size()), arguments.data(), environment);
}

Options parsed(std::vector<const char*> arguments, const OptionsEnvironment& environment = {}) {
  auto result = parse(std::move(arguments), environment);
  if (const auto* stop = std::get_if<ParseStop>(&result)) ADD_FAILURE() << stop->text;
  return std::holds_alternative<Options>(result) ? std::get<Options>(result) : Options();
}

ParseStop refused(std::vector<const char*> arguments) {
  auto result = parse(std::move(arguments));
  EXPECT_TRUE(std::holds_alternative<ParseStop>(result));
  return std::holds_alternative<ParseStop>(result) ? std::get<ParseStop>(result) : ParseStop();
}

TEST(Options, StoreTakesAnActionAndTheDirectoriesItNeeds) {
  const Options options = parsed({"store", "backup", "/from", "/to"});
  EXPECT_EQ(options.command, Command::kStore);
  EXPECT_EQ(options.store.action, "backup");
  EXPECT_EQ(options.store.directory, "/from");
  EXPECT_EQ(options.store.target, "/to");
  EXPECT_EQ(parsed({"store", "verify", "/from"}).store.action, "verify");
  EXPECT_THAT(refused({"store", "backup", "/from"}).text, HasSubstr("needs two directories"));
  EXPECT_THAT(refused({"store", "verify", "/a", "/b"}).text, HasSubstr("needs one directory"));
  EXPECT_THAT(refused({"store", "destroy", "/a"}).text, HasSubstr("destroy"));
}

TEST(Options, RunTakesAllThatDescribesAJob) {
  const Options options =
      parsed({"run", "scrape", "-i", "{}", "--set", "a=1", "--set", "b=x=y", "-l", "tenant=acme",
              "--queue", "fast", "--priority", "-5", "--timeout", "1m30s", "--request-id", "r"});
  EXPECT_EQ(options.command, Command::kRun);
  EXPECT_EQ(options.work.work, "scrape");
  EXPECT_EQ(options.work.input, "{}");
  EXPECT_THAT(options.work.set, ElementsAre("a=1", "b=x=y"));
  EXPECT_THAT(options.work.labels, ElementsAre("tenant=acme"));
  EXPECT_EQ(options.work.queue, "fast");
  EXPECT_EQ(options.work.priority, -5);
  EXPECT_EQ(options.work.timeout, absl::Seconds(90));
  EXPECT_EQ(options.work.request_id, "r");
  EXPECT_FALSE(options.local.enabled);
}

TEST(Options, ALabelDoesNotSwallowTheWorkThatFollows) {
  const Options options = parsed({"run", "-l", "a=b", "scrape"});
  EXPECT_EQ(options.work.work, "scrape");
  EXPECT_THAT(options.work.labels, ElementsAre("a=b"));
}

TEST(Options, GlobalOptionsMayStandBeforeAndAfterTheCommand) {
  for (const auto& arguments : {std::vector<const char*>{"--json", "--server", "h:1", "list"},
                                std::vector<const char*>{"list", "--json", "--server", "h:1"}}) {
    const Options options = parsed(arguments);
    EXPECT_TRUE(options.json);
    EXPECT_EQ(options.server, "h:1");
    EXPECT_EQ(options.command, Command::kList);
  }
}

TEST(Options, TheServerComesFromTheOptionThenTheEnvironmentThenTheDefault) {
  EXPECT_EQ(parsed({"list"}).server, "127.0.0.1:7450");
  EXPECT_EQ(parsed({"list"}, {.server = "env:1", .config = ""}).server, "env:1");
  EXPECT_EQ(parsed({"list", "--server", "o:2"}, {.server = "env:1", .config = ""}).server, "o:2");
}

TEST(Options, LocalFoldersNeedLocal) {
  EXPECT_TRUE(parsed({"run", "x", "--local", "--plugins", "p"}).local.enabled);
  EXPECT_THAT(refused({"run", "x", "--plugins", "p"}).text, HasSubstr("need --local"));
}

TEST(Options, WrongUseIsToldWithWhatIsWrong) {
  EXPECT_EQ(refused({}).code, ExitCode::kUsage);
  EXPECT_EQ(refused({"run"}).code, ExitCode::kUsage);
  EXPECT_THAT(refused({"rum", "scrape"}).text, HasSubstr("no command 'rum', did you mean 'run'?"));
  EXPECT_THAT(refused({"run", "x", "--set", "novalue"}).text, HasSubstr("KEY=VALUE"));
  EXPECT_THAT(refused({"run", "x", "--timeout", "5"}).text, HasSubstr("timeout"));
  EXPECT_THAT(refused({"run", "x", "--timeout", "0s"}).text, HasSubstr("more than 0"));
  EXPECT_THAT(refused({"list", "--state", "DONE"}).text, HasSubstr("SUCCEEDED"));
  EXPECT_THAT(refused({"run", "x", "--priority", "1001"}).text, HasSubstr("1001"));
  EXPECT_THAT(refused({"list", "--color", "maybe"}).text, HasSubstr("maybe"));
  EXPECT_THAT(refused({"get", "a", "--result", "--input"}).text, HasSubstr("exclude"));
}

TEST(Options, HelpGoesToStdoutAndNamesTheExitCodes) {
  const ParseStop help = refused({"--help"});
  EXPECT_EQ(help.code, ExitCode::kOk);
  EXPECT_THAT(help.text, HasSubstr("Exit codes"));
  EXPECT_THAT(refused({"run", "--help"}).text, HasSubstr("--local"));
  EXPECT_THAT(refused({"--version"}).text, HasSubstr("fermata 0"));
}

TEST(Options, CancelTakesManyJobsAndGetTakesOne) {
  EXPECT_THAT(parsed({"cancel", "a", "b", "--wait"}).names, ElementsAre("a", "b"));
  EXPECT_EQ(refused({"get", "a", "b"}).code, ExitCode::kUsage);
  EXPECT_TRUE(parsed({"pipelines"}).names.empty());
  EXPECT_THAT(parsed({"pipelines", "scrape"}).names, ElementsAre("scrape"));
}

TEST(ListFilter, JoinsConditionsAndQuotesValues) {
  ListOptions list;
  EXPECT_EQ(list_filter(list), "");
  list.states = {"FAILED", "EXPIRED"};
  list.pipeline = "scrape";
  list.labels = {"tenant=acme \"corp\" \\"};
  list.filter = "queue = fast";
  EXPECT_EQ(list_filter(list),
            "state = FAILED OR state = EXPIRED AND pipeline = \"scrape\" AND "
            "labels.tenant = \"acme \\\"corp\\\" \\\\\" AND queue = fast");
}

TEST(ListFilter, StatesAreTakenInAnyCase) {
  EXPECT_EQ(list_filter(parsed({"list", "-s", "failed"}).list), "state = FAILED");
}

TEST(JobStates, AreThoseOfTheApi) {
  for (int i = 1; i < v1::Job::State_ARRAYSIZE; ++i) {
    EXPECT_EQ(job_states().at(static_cast<size_t>(i - 1)),
              v1::Job::State_Name(static_cast<v1::Job::State>(i)));
  }
  EXPECT_EQ(job_states().size(), static_cast<size_t>(v1::Job::State_ARRAYSIZE - 1));
}

TEST(Options, AnyFileForTlsMeansTls) {
  EXPECT_FALSE(parsed({"plugins"}).connection.tls);
  EXPECT_TRUE(parsed({"--tls", "plugins"}).connection.tls);
  EXPECT_TRUE(parsed({"plugins", "--tls-ca", "ca.pem"}).connection.tls);
  OptionsEnvironment environment;
  environment.connection.tls_ca = "env.pem";
  environment.connection.token = "t";
  EXPECT_EQ(parsed({"plugins"}, environment).connection.tls_ca, "env.pem");
  EXPECT_EQ(parsed({"plugins"}, environment).connection.token, "t");
  EXPECT_EQ(parsed({"--tls-ca", "ca.pem", "plugins"}, environment).connection.tls_ca, "ca.pem");
  EXPECT_THAT(refused({"--tls-cert", "c.pem", "plugins"}).text, HasSubstr("--tls-key"));
}

TEST(Options, ATokenCannotBeGivenOnTheCommandLine) {
  EXPECT_EQ(refused({"--token", "t", "plugins"}).code, ExitCode::kUsage);
}

TEST(Options, TokenNewWantsAPrincipal) {
  const Options options = parsed({"token", "new", "--principal", "team-a"});
  EXPECT_EQ(options.command, Command::kTokenNew);
  EXPECT_EQ(options.token.principal, "team-a");
  EXPECT_THAT(refused({"token", "new"}).text, HasSubstr("--principal"));
  EXPECT_EQ(refused({"token"}).code, ExitCode::kUsage);
}

}  // namespace
}  // namespace fermata::cli
