// What arrives from a plugin's process may be anything: every lie in a header is refused, and no
// cut or flipped byte makes the decoders read beyond their bytes.
#include "services/stages/isolated/frame.h"

#include <cstring>
#include <limits>
#include <string>

#include "absl/random/random.h"
#include "gtest/gtest.h"
#include "services/stages/isolated/messages.h"

namespace fermata {
namespace {

FrameHeader good_header(uint32_t sequence = 0) {
  FrameHeader header;
  header.type = FrameType::kFinish;
  header.call = 7;
  header.sequence = sequence;
  return header;
}

std::string frame(FrameHeader header, std::string_view payload) {
  header.length = static_cast<uint32_t>(payload.size());
  std::string bytes;
  encode_header(header, bytes);
  return bytes.append(payload);
}

absl::Status refusal_of(const std::string& bytes, FrameReader reader = FrameReader::kServer) {
  FrameDecoder decoder(reader);
  return decoder.next(bytes).status();
}

TEST(Frame, IsReadAsItWasWritten) {
  FrameDecoder decoder(FrameReader::kServer);
  const std::string two = frame(good_header(0), "abc") + frame(good_header(1), "");
  const auto first = decoder.next(two);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->payload, "abc");
  EXPECT_EQ(first->header.call, 7u);
  EXPECT_EQ(first->bytes, kFrameHeaderBytes + 3);
  const auto second = decoder.next(std::string_view(two).substr(first->bytes));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->payload, "");
}

TEST(Frame, CutAnywhereItWaitsForTheRest) {
  const std::string whole = frame(good_header(), "abc");
  for (size_t size = 0; size < whole.size(); ++size) {
    FrameDecoder decoder(FrameReader::kServer);
    const auto decoded = decoder.next(std::string_view(whole).substr(0, size));
    ASSERT_TRUE(decoded.ok()) << size;
    EXPECT_EQ(decoded->bytes, 0u) << size;
  }
}

TEST(Frame, ALengthThatIsALieIsRefusedBeforeItIsWaitedFor) {
  FrameHeader header = good_header();
  header.length = kInlineMax + 1;
  std::string bytes;
  encode_header(header, bytes);
  EXPECT_EQ(refusal_of(bytes).message(), "bad frame: a payload of 16385 bytes, at most 16384");
  header.length = std::numeric_limits<uint32_t>::max();
  bytes.clear();
  encode_header(header, bytes);
  EXPECT_FALSE(refusal_of(bytes).ok());
}

TEST(Frame, OnlyTypesOfItsDirectionAreAccepted) {
  for (uint16_t type = 0; type < 100; ++type) {
    FrameHeader header = good_header();
    header.type = static_cast<FrameType>(type);
    const std::string bytes = frame(header, "");
    const bool known = type >= 1 && type <= kFrameTypeMax;
    const bool from_process = known && sent_by_process(header.type);
    EXPECT_EQ(refusal_of(bytes, FrameReader::kServer).ok(), from_process) << type;
    EXPECT_EQ(refusal_of(bytes, FrameReader::kProcess).ok(), known && !from_process) << type;
  }
}

TEST(Frame, FlagsAndDescriptorsMustAgree) {
  FrameHeader header = good_header();
  header.flags = 2;
  EXPECT_FALSE(refusal_of(frame(header, "")).ok());
  header.flags = kFrameInMemfd;
  EXPECT_FALSE(refusal_of(frame(header, "12345678")).ok()) << "no descriptor with it";
  header.descriptors = 1;
  EXPECT_TRUE(refusal_of(frame(header, "12345678")).ok());
  EXPECT_FALSE(refusal_of(frame(header, "1234567")).ok()) << "a size has eight bytes";
  header.descriptors = 2;
  EXPECT_FALSE(refusal_of(frame(header, "12345678")).ok());
  header.flags = 0;
  header.descriptors = 1;
  EXPECT_FALSE(refusal_of(frame(header, "")).ok()) << "a descriptor that nobody asked for";
}

TEST(Frame, TheSequenceHasNoGapsAndNoRepeats) {
  FrameDecoder decoder(FrameReader::kServer);
  EXPECT_TRUE(decoder.next(frame(good_header(0), "")).ok());
  EXPECT_FALSE(decoder.next(frame(good_header(0), "")).ok());
  EXPECT_FALSE(decoder.next(frame(good_header(2), "")).ok());
  EXPECT_TRUE(decoder.next(frame(good_header(1), "")).ok());
}

// Every message with every prefix of itself, and with bytes flipped: refused or read, never beyond
// its end (the sanitizers watch), and never accepted when something is missing.
template <class Decode>
void bend(const std::string& good, Decode decode, bool ends_in_rest) {
  EXPECT_TRUE(decode(good));
  for (size_t size = 0; size < good.size(); ++size) {
    const bool accepted = decode(std::string_view(good).substr(0, size));
    if (!ends_in_rest) {
      EXPECT_FALSE(accepted) << size << " of " << good.size();
    }
  }
  absl::BitGen random;
  for (int i = 0; i < 20000; ++i) {
    std::string bent = good;
    for (int n = absl::Uniform(random, 1, 4); n > 0; --n) {
      bent[absl::Uniform<size_t>(random, 0, bent.size())] = static_cast<char>(random());
    }
    (void)decode(bent);
  }
  if (!ends_in_rest) {
    EXPECT_FALSE(decode(good + "x"));
  }
}

TEST(Message, HelloIsBentInEveryWay) {
  Hello hello;
  for (const char* name : {"get", "put"}) {
    StageInfo& stage = hello.stages.emplace_back();
    stage.name = name;
    stage.input_schema = R"({"type":"object"})";
  }
  bend(hello.encode(), [](std::string_view b) { return Hello::decode(b).ok(); }, false);
  hello.stages[1].name = "get";
  EXPECT_FALSE(Hello::decode(hello.encode()).ok()) << "two stages of one name";
  hello.stages[1].name = "../get";
  EXPECT_FALSE(Hello::decode(hello.encode()).ok()) << "not a name";
  hello.stages.clear();
  EXPECT_FALSE(Hello::decode(hello.encode()).ok()) << "neither stages nor a refusal";
}

TEST(Message, FinishIsBentInEveryWay) {
  EndMessage end;
  end.outcome.output = Buffer::copy_of("[1]");
  bend(end.encode(), [](std::string_view b) { return EndMessage::decode(b).ok(); }, true);
  end.status = FERMATA_E_INVALID;
  EXPECT_FALSE(EndMessage::decode(end.encode()).ok()) << "fails with OK";
  end.outcome.status = absl::InvalidArgumentError("no");
  EXPECT_TRUE(EndMessage::decode(end.encode()).ok());
  end.outcome.retry_after = absl::Hours(24 * 365);
  EXPECT_FALSE(EndMessage::decode(end.encode()).ok()) << "waits for a year";
  end.outcome.retry_after = absl::ZeroDuration();
  end.result = static_cast<StageResult>(77);
  EXPECT_FALSE(EndMessage::decode(end.encode()).ok()) << "an index into a table of counters";
}

TEST(Message, TheOthersAreBentInEveryWay) {
  LogMessage log;
  log.text = "hello";
  bend(log.encode(), [](std::string_view b) { return LogMessage::decode(b).ok(); }, false);
  ProgressMessage progress;
  progress.note = "half";
  bend(
      progress.encode(), [](std::string_view b) { return ProgressMessage::decode(b).ok(); }, false);
  SubCallMessage sub;
  sub.use = "http/get";
  sub.input = "{}";
  bend(sub.encode(), [](std::string_view b) { return SubCallMessage::decode(b).ok(); }, true);
  bend(
      encode_status(absl::AbortedError("x")),
      [](std::string_view b) { return decode_status(b).has_value(); }, false);
}

TEST(Message, MetricsAreBentInEveryWayAndCheckedLikeDefinedOnes) {
  PluginMetrics metrics;
  fermata_metric_def def{};
  def.struct_size = sizeof def;
  def.kind = FERMATA_METRIC_HISTOGRAM;
  def.name = {"waits", 5};
  const double bounds[] = {0.1, 1};
  def.bounds = bounds;
  def.n_bounds = 2;
  const fermata_str labels[] = {{"peer", 4}};
  def.labels = labels;
  def.n_labels = 1;
  uint32_t id = 0;
  ASSERT_EQ(metrics.define(def, &id), FERMATA_OK);
  ASSERT_EQ(metrics.update(id, 0.5, labels, 1), FERMATA_OK);
  const std::string good = encode_metrics(metrics);
  bend(
      good,
      [](std::string_view bytes) {
        auto decoded = decode_metrics(bytes);
        if (!decoded.ok()) return false;
        std::vector<PluginMetric> before;
        (void)PluginMetrics().add_from_process(*std::move(decoded), before);
        return true;
      },
      false);
  PluginMetrics copy;
  std::vector<PluginMetric> before;
  EXPECT_TRUE(copy.add_from_process(*decode_metrics(good), before));
  EXPECT_EQ(copy.all().at(0).series.begin()->second.count, 1u);
  auto evil = *decode_metrics(good);
  evil[0].name = "x\" } 1\nforged_total 1";
  EXPECT_FALSE(copy.add_from_process(evil, before))
      << "a name that would forge lines of the exposition";
  EXPECT_EQ(copy.all().at(0).name, "waits");
}

PluginMetric metric_of(uint32_t kind, double value) {
  PluginMetric metric;
  metric.kind = kind;
  metric.name = kind == FERMATA_METRIC_GAUGE ? "open" : "calls_total";
  metric.labels = {"peer"};
  PluginMetricSeries series;
  series.label_values = {"a"};
  series.value = value;
  metric.series[std::string("a\0", 2)] = series;
  return metric;
}

// By name: "calls_total 8".
std::string sums(const PluginMetrics& metrics) {
  std::string out;
  for (const PluginMetric& metric : metrics.all()) {
    for (const auto& [key, series] : metric.series) {
      out += metric.name + " " + std::to_string(static_cast<int>(series.value)) + "\n";
    }
  }
  return out;
}

TEST(Metrics, NeitherARestartNorAnotherVersionMakesANumberGoDown) {
  PluginMetrics all;
  std::vector<PluginMetric> first;
  std::vector<PluginMetric> second;
  const auto told = [&all](std::vector<PluginMetric>& process, double calls, double open) {
    return all.add_from_process(
        {metric_of(FERMATA_METRIC_COUNTER, calls), metric_of(FERMATA_METRIC_GAUGE, open)}, process);
  };
  EXPECT_TRUE(told(first, 5, 2));
  EXPECT_TRUE(told(first, 7, 3));
  EXPECT_EQ(sums(all), "calls_total 7\nopen 3\n");
  EXPECT_TRUE(told(second, 1, 1)) << "another process, beside it";
  EXPECT_TRUE(told(first, 8, 3));
  EXPECT_TRUE(told(second, 2, 1));
  EXPECT_EQ(sums(all), "calls_total 10\nopen 1\n");
}

TEST(Metrics, AHistogramsSeriesMustHaveItsBuckets) {
  PluginMetric histogram = metric_of(FERMATA_METRIC_HISTOGRAM, 1);
  histogram.bounds = {0.1, 1};
  PluginMetrics all;
  std::vector<PluginMetric> before;
  EXPECT_FALSE(all.add_from_process({histogram}, before));
  histogram.series.begin()->second.buckets = {1, 0, 0};
  EXPECT_TRUE(all.add_from_process({histogram}, before));
  EXPECT_EQ(all.all().at(0).series.begin()->second.buckets, (std::vector<uint64_t>{1, 0, 0}));
}

}  // namespace
}  // namespace fermata
