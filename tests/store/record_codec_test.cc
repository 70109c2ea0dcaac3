#include "services/store/record_codec.h"

#include <zlib.h>

#include <memory>
#include <random>
#include <utility>

#include "gtest/gtest.h"

namespace fermata {
namespace {

JobRecord full_record() {
  auto spec = std::make_shared<JobSpec>();
  spec->id = "01890a5d-ac96-774b-bcce-b302099a8057";
  spec->pipeline = "scrape";
  spec->pipeline_version = "0123456789ab";
  spec->pipeline_yaml = "pipeline: scrape";
  spec->stage = "http/get";
  spec->input = std::string("{\"a\":\0 1}", 9);
  spec->queue = "reports";
  spec->labels = {{"tenant", "acme"}, {"empty", ""}};
  spec->priority = -7;
  spec->request_id = "once";
  spec->fingerprint = ~uint64_t{0};
  spec->create_time = absl::FromUnixNanos(1'700'000'000'123'456'789);
  spec->deadline = absl::FromUnixNanos(-5);
  JobRecord record;
  record.spec = std::move(spec);
  record.state = JobState::kFailed;
  record.reason = "STAGE_FAILED";
  record.sequence = int64_t{1} << 40;
  record.start_time = absl::FromUnixNanos(1);
  record.end_time = absl::FromUnixNanos(2);
  record.error = JobError{absl::StatusCode::kUnavailable, "no route", "fetch", 5};
  record.result = std::make_shared<const std::string>("");
  StageProgress stage;
  stage.name = "fetch";
  stage.state = StageState::kFailed;
  stage.total = 300;
  stage.done = 200;
  stage.failed = 100;
  stage.retries = -1;
  stage.start_time = absl::FromUnixNanos(3);
  stage.versions = "1.2.0+9f2c71ab, 1.3.0";
  stage.output = std::make_shared<const std::string>("[1,2]");
  record.stages = {stage, StageProgress()};
  return record;
}

TEST(RecordCodec, EveryFieldComesBack) {
  const JobRecord in = full_record();
  const absl::StatusOr<JobView> out = decode_record(encode_record(in));
  ASSERT_TRUE(out.ok()) << out.status();
  const JobSpec &a = *in.spec, &b = *(*out)->spec;
  EXPECT_EQ(std::tie(a.id, a.pipeline, a.pipeline_version, a.pipeline_yaml, a.stage, a.input),
            std::tie(b.id, b.pipeline, b.pipeline_version, b.pipeline_yaml, b.stage, b.input));
  EXPECT_EQ(std::tie(a.queue, a.labels, a.priority, a.request_id, a.fingerprint, a.create_time),
            std::tie(b.queue, b.labels, b.priority, b.request_id, b.fingerprint, b.create_time));
  EXPECT_EQ(a.deadline, b.deadline);
  const JobRecord& got = **out;
  EXPECT_EQ(std::tie(in.state, in.reason, in.sequence, in.start_time, in.end_time),
            std::tie(got.state, got.reason, got.sequence, got.start_time, got.end_time));
  ASSERT_TRUE(got.error.has_value());
  EXPECT_EQ(std::tie(in.error->code, in.error->message, in.error->stage, in.error->attempts),
            std::tie(got.error->code, got.error->message, got.error->stage, got.error->attempts));
  EXPECT_EQ(*got.result, "");
  ASSERT_EQ(got.stages.size(), 2u);
  const StageProgress &s = in.stages[0], &t = got.stages[0];
  EXPECT_EQ(std::tie(s.name, s.state, s.total, s.done, s.failed, s.retries, s.start_time),
            std::tie(t.name, t.state, t.total, t.done, t.failed, t.retries, t.start_time));
  EXPECT_EQ(t.end_time, absl::InfinitePast());
  EXPECT_EQ(t.versions, "1.2.0+9f2c71ab, 1.3.0");
  EXPECT_EQ(*t.output, "[1,2]");
  EXPECT_EQ(got.stages[1].output, nullptr);
}

TEST(RecordCodec, AJobWithoutDeadlineHasNoneAfterwards) {
  JobRecord record;
  record.spec = std::make_shared<JobSpec>();
  const absl::StatusOr<JobView> out = decode_record(encode_record(record));
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_EQ((*out)->spec->deadline, absl::InfiniteFuture());
  EXPECT_EQ((*out)->start_time, absl::InfinitePast());
  EXPECT_FALSE((*out)->error.has_value());
  EXPECT_EQ((*out)->result, nullptr);
}

TEST(RecordCodec, NoTruncationAndNoFlippedBitIsTakenForARecord) {
  const std::string bytes = encode_record(full_record());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(absl::IsDataLoss(decode_record(bytes.substr(0, size)).status())) << size;
  }
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_TRUE(absl::IsDataLoss(decode_record(flipped).status())) << bit;
  }
  EXPECT_TRUE(absl::IsDataLoss(decode_record(bytes + "x").status()));
}

// With the checksum that belongs to it.
std::string sealed(std::string bytes) {
  const auto sum = static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(sum >> (8 * i)));
  return bytes;
}

TEST(RecordCodec, ANewerFormatIsRefusedByName) {
  std::string bytes = encode_record(full_record());
  bytes.resize(bytes.size() - 4);
  bytes[1] = 3;
  const absl::Status refused = decode_record(sealed(bytes)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_NE(refused.message().find("format 3, this server reads up to 2"), absl::string_view::npos)
      << refused;
}

TEST(RecordCodec, OnlyAStageThatMayNotBeginAgainNeedsTheNewerFormat) {
  JobRecord record = full_record();
  EXPECT_EQ(encode_record(record)[1], 1);
  record.stages[1].begun = true;
  const std::string bytes = encode_record(record);
  EXPECT_EQ(bytes[1], 2);
  const absl::StatusOr<JobView> out = decode_record(bytes);
  ASSERT_TRUE(out.ok()) << out.status();
  EXPECT_FALSE((*out)->stages[0].begun);
  EXPECT_TRUE((*out)->stages[1].begun);
  EXPECT_EQ(*(*out)->stages[0].output, "[1,2]");
}

TEST(RecordCodec, ARecordIsReadAsTheFormatItSaysItHas) {
  const std::string bytes = encode_record(full_record());
  std::string body = bytes.substr(0, bytes.size() - 4);
  ASSERT_TRUE(decode_record(sealed(body)).ok());
  body[1] = 2;
  EXPECT_TRUE(absl::IsDataLoss(decode_record(sealed(body)).status()));
}

TEST(RecordCodec, AnyBytesWithARightChecksumAreARecordOrDataLoss) {
  const std::string good = encode_record(full_record());
  std::mt19937_64 random(7);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good.substr(0, good.size() - 4);
    for (uint64_t changes = random() % 4 + 1; changes > 0; --changes) {
      bytes[2 + random() % (bytes.size() - 2)] = static_cast<char>(random());
    }
    if (random() % 4 == 0) bytes.resize(2 + random() % (bytes.size() - 2));
    const absl::StatusOr<JobView> out = decode_record(sealed(bytes));
    if (out.ok()) {
      EXPECT_TRUE(decode_record(encode_record(**out)).ok());
    } else {
      EXPECT_TRUE(absl::IsDataLoss(out.status())) << out.status();
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace fermata
