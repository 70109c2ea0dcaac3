// What happens in the folder, and what is loaded because of it. Events are the test's own; the
// files and the plugins are real, and time is virtual.
#include "services/stages/folder_watch.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "services/async/async.h"
#include "tests/stages/testing/reload_fixture.h"

namespace fermata {
namespace {

class TestEvents final : public FolderEvents {
 public:
  Co<absl::StatusOr<std::vector<FolderEvent>>> next() override {
    while (pending.empty()) {
      news.clear();
      co_await news.wait();
    }
    if (gone) co_return absl::UnavailableError("gone");
    co_return std::exchange(pending, {});
  }
  Co<absl::StatusOr<std::vector<std::string>>> files() override {
    ++scans;
    co_return there;
  }
  Co<std::optional<FileStamp>> stamp(std::string) override { co_return now_stamp; }

  void happen(FolderEvent::Kind kind, const std::string& name) {
    pending.push_back({kind, name});
    news.set();
  }

  std::vector<FolderEvent> pending;
  std::vector<std::string> there;
  std::optional<FileStamp> now_stamp = FileStamp{1, 1};
  Event news;
  bool gone = false;
  int scans = 0;
};

using Kind = FolderEvent::Kind;

class Watching : public Reload {
 public:
  using WatchBody = Co<absl::Status> (*)(PluginHost& host, Watching& test);
  void watch(WatchBody body) {
    body_ = body;
    run([](PluginHost& host, Reload& test) -> Co<absl::Status> {
      Watching* self = static_cast<Watching*>(&test);
      PluginHost* given = &host;
      co_return co_await with_group(&Watching::in_group, given, self);
    });
  }
  static Co<absl::Status> in_group(TaskGroup& group, PluginHost* host, Watching* self) {
    FolderWatch::Options options;
    options.log = [self](StageLogLevel, std::string text) { self->said.push_back(text); };
    FolderWatch watch(*host, self->events, std::move(options));
    group.spawn_named("watch", &Watching::run_watch, &watch, self);
    co_await sleep(absl::Milliseconds(1));
    absl::Status status = co_await self->body_(*host, *self);
    group.cancel(CancelReason::kShutdown);
    co_await self->ended.wait();
    co_return status;
  }
  static Co<absl::Status> run_watch(FolderWatch* watch, Watching* self) {
    const SetAtEnd end{self->ended};
    self->watch_status = co_await watch->run();
    co_return absl::OkStatus();
  }
  std::string active(PluginHost& host) const {
    for (const PluginInfo& plugin : host.list()) {
      if (plugin.loaded && plugin.state == GenerationState::kActive) return plugin.version;
    }
    return "none";
  }

  TestEvents events;
  Event ended;
  absl::Status watch_status;
  std::vector<std::string> said;

 private:
  struct SetAtEnd {
    Event& event;
    ~SetAtEnd() { event.set(); }
  };
  WatchBody body_ = nullptr;
};

TEST_F(Watching, AFileThatIsMovedInIsTakenAtOnce) {
  drop("v1_0");
  events.there = {"p.so"};
  watch([](PluginHost& host, Watching& test) -> Co<absl::Status> {
    test.drop("v1_1");
    test.events.happen(Kind::kMoved, "p.so");
    co_await sleep(absl::Milliseconds(100));
    EXPECT_EQ(test.active(host), "1.1.0");
    EXPECT_TRUE(test.said.empty());
    co_return absl::OkStatus();
  });
}

TEST_F(Watching, AFileThatIsWrittenInPlaceIsTakenWhenItHasSettled) {
  drop("v1_0");
  events.there = {"p.so"};
  watch([](PluginHost& host, Watching& test) -> Co<absl::Status> {
    test.drop("v1_1");
    test.events.happen(Kind::kWritten, "p.so");
    co_await sleep(absl::Milliseconds(900));
    EXPECT_EQ(test.active(host), "1.0.0");
    test.events.now_stamp = FileStamp{2, 2};  // somebody goes on writing
    co_await sleep(absl::Milliseconds(900));
    EXPECT_EQ(test.active(host), "1.0.0");
    co_await sleep(absl::Milliseconds(300));
    EXPECT_EQ(test.active(host), "1.1.0");
    EXPECT_EQ(test.said, (std::vector<std::string>{
                             "p.so is written in place: it is loaded when nothing has changed for "
                             "1s - prefer cp to a temporary name + mv"}));
    co_return absl::OkStatus();
  });
}

TEST_F(Watching, LostEventsMeanThatEverythingIsLookedAt) {
  drop("v1_0");
  events.there = {"p.so"};
  watch([](PluginHost& host, Watching& test) -> Co<absl::Status> {
    EXPECT_EQ(test.events.scans, 1);
    test.drop("v1_1");
    test.events.happen(Kind::kOverflow, "");
    co_await sleep(absl::Milliseconds(100));
    EXPECT_EQ(test.events.scans, 2);
    EXPECT_EQ(test.active(host), "1.1.0");
    co_return absl::OkStatus();
  });
}

TEST_F(Watching, WhatCameBetweenTheStartAndTheWatchIsSeen) {
  events.there = {"p.so"};
  watch([](PluginHost& host, Watching& test) -> Co<absl::Status> {
    EXPECT_EQ(test.active(host), "none");
    EXPECT_EQ(test.report.loaded, 0u);
    test.drop("v1_0");
    test.events.happen(Kind::kOverflow, "");
    co_await sleep(absl::Milliseconds(100));
    EXPECT_EQ(test.active(host), "1.0.0");
    co_return absl::OkStatus();
  });
}

TEST_F(Watching, HiddenAndTemporaryNamesAreIgnored) {
  drop("v1_0");
  events.there = {"p.so"};
  watch([](PluginHost& host, Watching& test) -> Co<absl::Status> {
    for (const char* name : {".p.so", "p.so.tmp", "README.md"}) {
      test.put(name, "no plugin");
      test.events.happen(Kind::kMoved, name);
    }
    co_await sleep(absl::Seconds(3));
    EXPECT_EQ(host.list().size(), 1u);
    co_return absl::OkStatus();
  });
}

TEST_F(Watching, ALinkIsRefusedWhenItIsMadeAndSaidOnce) {
  drop("v1_0");
  events.there = {"p.so"};
  watch([](PluginHost& host, Watching& test) -> Co<absl::Status> {
    const std::string link = test.folder() + "/link.so";
    EXPECT_EQ(::symlink("p.so", link.c_str()), 0);
    test.events.now_stamp = FileStamp{1, 1, /*whole=*/true};
    test.events.happen(Kind::kMade, "link.so");
    co_await sleep(absl::Milliseconds(100));
    EXPECT_EQ(host.list().size(), 2u);
    const auto refused = [&test] {
      return std::count_if(test.logs.begin(), test.logs.end(), [](const std::string& line) {
        return line.find("PLG-130 link.so: is a symbolic link") != std::string::npos;
      });
    };
    EXPECT_EQ(refused(), 1);
    test.events.there = {"link.so", "p.so"};
    test.events.happen(Kind::kOverflow, "");
    co_await sleep(absl::Milliseconds(100));
    EXPECT_EQ(refused(), 1);
    co_return absl::OkStatus();
  });
}

TEST_F(Watching, AFileThatWasOnlyMadeIsNotTouchedYet) {
  events.there = {};
  watch([](PluginHost& host, Watching& test) -> Co<absl::Status> {
    test.put("p.so", "");
    test.events.happen(Kind::kMade, "p.so");
    co_await sleep(absl::Seconds(3));
    EXPECT_TRUE(host.list().empty());
    co_return absl::OkStatus();
  });
}

TEST_F(Watching, AnActiveVersionOutlivesItsFileAndTheLogSaysSo) {
  drop("v1_0");
  events.there = {"p.so"};
  watch([](PluginHost& host, Watching& test) -> Co<absl::Status> {
    test.events.happen(Kind::kGone, "p.so");
    co_await sleep(absl::Seconds(1));
    EXPECT_EQ(test.active(host), "1.0.0");
    EXPECT_TRUE(test.logged("p.so is gone from the folder; 1.0.0+"));
    co_return absl::OkStatus();
  });
}

TEST_F(Watching, AFolderThatIsGoneEndsTheWatchAndNothingElse) {
  drop("v1_0");
  events.there = {"p.so"};
  watch([](PluginHost& host, Watching& test) -> Co<absl::Status> {
    test.events.gone = true;
    test.events.happen(Kind::kMoved, "p.so");
    co_await test.ended.wait();
    EXPECT_EQ(test.watch_status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(test.active(host), "1.0.0");
    co_return absl::OkStatus();
  });
}

// The kernel's own events, on a real loop.
TEST_F(Watching, InotifyTellsWhatHappened) {
  EpollLoop loop;
  HostFixture* self = this;
  const absl::Status status = loop.run(
      [](HostFixture* test) -> Co<absl::Status> {
        absl::StatusOr<std::unique_ptr<InotifyEvents>> opened = InotifyEvents::open(test->folder());
        if (!opened.ok()) co_return opened.status();
        InotifyEvents& events = **opened;
        test->put("a.tmp", "x");
        EXPECT_EQ(::rename((test->folder() + "/a.tmp").c_str(), (test->folder() + "/a.so").c_str()),
                  0);
        EXPECT_EQ(::remove((test->folder() + "/a.so").c_str()), 0);
        EXPECT_EQ(::symlink("nowhere", (test->folder() + "/b.so").c_str()), 0);
        std::optional<FileStamp> link = co_await events.stamp("b.so");
        EXPECT_TRUE(link.has_value() && link->whole);
        std::string seen;
        while (seen.find("made b.so") == std::string::npos) {
          absl::StatusOr<std::vector<FolderEvent>> next = co_await events.next();
          if (!next.ok()) co_return next.status();
          for (const FolderEvent& event : *next) {
            if (event.kind == Kind::kMade) seen += "made " + event.name + "; ";
            if (event.kind == Kind::kMoved) seen += "moved " + event.name + "; ";
            if (event.kind == Kind::kWritten) seen += "written " + event.name + "; ";
            if (event.kind == Kind::kGone) seen += "gone " + event.name + "; ";
          }
        }
        EXPECT_EQ(seen,
                  "made a.tmp; written a.tmp; gone a.tmp; moved a.so; gone a.so; made b.so; ");
        co_return absl::OkStatus();
      },
      self);
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace fermata
