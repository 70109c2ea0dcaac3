#include "services/frontend/wire.h"

#include <memory>
#include <string>
#include <vector>

#include "fermata/v1/jobs.pb.h"
#include "gtest/gtest.h"
#include "services/engine/errors.h"

namespace fermata::frontend {
namespace {

grpc::ByteBuffer bytes_of(const std::string& text, size_t pieces = 1) {
  std::vector<grpc::Slice> slices;
  const size_t step = text.size() / pieces + 1;
  for (size_t at = 0; at < text.size(); at += step) slices.emplace_back(text.substr(at, step));
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string text_of(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(bytes.Dump(&slices).ok());
  std::string out;
  for (const grpc::Slice& slice : slices) {
    out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return out;
}

v1::SubmitJobRequest request() {
  v1::SubmitJobRequest out;
  out.mutable_job()->set_pipeline("scrape");
  out.mutable_job()->set_input(std::string(10000, 'x'));
  (*out.mutable_job()->mutable_labels())["a"] = "b";
  return out;
}

TEST(Wire, DecodesOneSliceAndMany) {
  const std::string text = request().SerializeAsString();
  for (const size_t pieces : {1, 2, 100}) {
    v1::SubmitJobRequest got;
    ASSERT_TRUE(decode(bytes_of(text, pieces), got).ok()) << pieces;
    EXPECT_EQ(got.SerializeAsString(), text);
  }
}

TEST(Wire, AnEmptyMessageIsAMessage) {
  v1::SubmitJobRequest got;
  EXPECT_TRUE(decode(bytes_of(""), got).ok());
  EXPECT_FALSE(got.has_job());
}

TEST(Wire, TextThatIsNotUtf8IsNamed) {
  v1::SubmitJobRequest sent = request();
  sent.mutable_job()->set_pipeline("scr\xff");
  v1::SubmitJobRequest got;
  const absl::Status status = decode(bytes_of(sent.SerializePartialAsString(), 3), got);
  ASSERT_TRUE(absl::IsInvalidArgument(status)) << status;
  const ErrorDetail detail = detail_of(status).value();
  EXPECT_EQ(detail.reason, "MALFORMED_REQUEST");
  ASSERT_EQ(detail.fields.size(), 1u);
  EXPECT_EQ(detail.fields[0].field, "job.pipeline");
}

TEST(Wire, BadTextInALabelIsFoundToo) {
  v1::SubmitJobRequest sent = request();
  (*sent.mutable_job()->mutable_labels())["key"] = "\xc3\x28";
  v1::SubmitJobRequest got;
  const absl::Status status = decode(bytes_of(sent.SerializePartialAsString()), got);
  EXPECT_EQ(detail_of(status).value().fields.at(0).field, "job.labels.value");
}

TEST(Wire, BytesThatAreNoMessageAreRefusedAtEveryLength) {
  const std::string text = request().SerializeAsString();
  for (size_t n = 1; n < 64; ++n) {
    v1::SubmitJobRequest got;
    const absl::Status status = decode(bytes_of(text.substr(0, n)), got);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << n;
    EXPECT_EQ(detail_of(status).value().metadata.at("type"), "fermata.v1.SubmitJobRequest");
  }
}

TEST(Wire, EncodesWhatProtobufWouldEncode) {
  EXPECT_EQ(text_of(encode(request())), request().SerializeAsString());
}

TEST(Wire, ASharedFieldReadsLikeAnyOther) {
  for (const size_t size :
       {size_t{0}, size_t{1}, detail::kShareAbove, detail::kShareAbove + 1, size_t{1} << 20}) {
    v1::Job job;
    job.set_name("jobs/1");
    const auto result = std::make_shared<const std::string>(size, 'r');
    const grpc::ByteBuffer bytes =
        encode_with_bytes(job, v1::Job::kResultFieldNumber, result, *result);
    v1::Job got;
    ASSERT_TRUE(got.ParseFromString(text_of(bytes))) << size;
    EXPECT_EQ(got.name(), "jobs/1");
    EXPECT_EQ(got.result(), *result);
  }
}

TEST(Wire, ALargeSharedFieldIsNotCopiedAndIsLetGo) {
  auto result = std::make_shared<const std::string>(1 << 20, 'r');
  const std::weak_ptr<const std::string> alive = result;
  {
    const grpc::ByteBuffer bytes =
        encode_with_bytes(v1::Job(), v1::Job::kResultFieldNumber, result, *result);
    std::vector<grpc::Slice> slices;
    ASSERT_TRUE(bytes.Dump(&slices).ok());
    ASSERT_EQ(slices.size(), 2u);
    EXPECT_EQ(static_cast<const void*>(slices[1].begin()), result->data());
    result.reset();
    EXPECT_FALSE(alive.expired());
  }
  EXPECT_TRUE(alive.expired());
}

}  // namespace
}  // namespace fermata::frontend
