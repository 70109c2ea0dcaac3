// Who may do what: tokens and permissions, from a client's side of the wire.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/empty.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "services/frontend/rpc_access.h"
#include "src/proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/frontend/access_test_server.h"

namespace fermata::frontend {
namespace {

using grpc::StatusCode;

class Access : public testing::Test {
 protected:
  Access() {
    folder_.add("a", "{ allow: [submit, read, cancel, delete, catalog], queues: [qa, shared-*] }");
    folder_.add("b", "{ allow: [submit, read, cancel, delete], queues: [qb] }");
    folder_.add("reader", "{ allow: [read], queues: ['*'] }");
    folder_.add("watcher-of-a",
                "{ allow: [read], queues: [qa] }, { allow: [cancel], queues: [qb] }");
    folder_.add("narrow", "{ allow: [submit, read], queues: [qa], pipelines: [pa*] }");
    folder_.add("late", "{ allow: [read], queues: ['*'] }", ", expires: '2020-01-01T00:00:00Z'");
    folder_.save();
    ServerOptions options = folder_.options();
    options.report = [this](bool problem, std::string_view) { problems_ += problem ? 1 : 0; };
    server_.emplace(EngineLimits(), options);
  }

  template <class Request, class Answer>
  grpc::Status call(grpc::Status (v1::Jobs::Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Answer*),
                    const std::string& who, const Request& request, Answer* answer) {
    grpc::ClientContext context;
    use_token(context, who.empty() ? "" : folder_.token(who));
    return (server_->jobs().*method)(&context, request, answer);
  }

  grpc::Status submit(const std::string& who, const std::string& queue, v1::Job* job,
                      const std::string& request_id = "") {
    v1::SubmitJobRequest request;
    *request.mutable_job() = stage_job("test/hold");
    request.mutable_job()->set_queue(queue);
    request.set_request_id(request_id);
    return call(&v1::Jobs::Stub::Submit, who, request, job);
  }
  std::string submitted(const std::string& who, const std::string& queue) {
    v1::Job job;
    const grpc::Status status = submit(who, queue, &job);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return job.name();
  }
  grpc::Status get(const std::string& who, const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    v1::Job job;
    return call(&v1::Jobs::Stub::Get, who, request, &job);
  }
  grpc::Status cancel(const std::string& who, const std::string& name) {
    v1::CancelJobRequest request;
    request.set_name(name);
    v1::Job job;
    return call(&v1::Jobs::Stub::Cancel, who, request, &job);
  }
  grpc::Status remove(const std::string& who, const std::string& name, bool allow_missing) {
    v1::DeleteJobRequest request;
    request.set_name(name);
    request.set_allow_missing(allow_missing);
    google::protobuf::Empty none;
    return call(&v1::Jobs::Stub::Delete, who, request, &none);
  }
  // The names that `who` finds by listing everything, page by page.
  std::set<std::string> listed(const std::string& who, int page_size) {
    std::set<std::string> names;
    v1::ListJobsRequest request;
    request.set_page_size(page_size);
    do {
      v1::ListJobsResponse page;
      const grpc::Status status = call(&v1::Jobs::Stub::List, who, request, &page);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const v1::Job& job : page.jobs()) EXPECT_TRUE(names.insert(job.name()).second);
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return names;
  }

  AccessFolder folder_;
  int problems_ = 0;  // reported; the loop's thread
  std::optional<TestServer> server_;
};

constexpr char kMissing[] = "jobs/01890000-0000-7000-8000-000000000000";

// Everything a client can see, with the name taken out; maps have no order on the wire.
std::string visible(const grpc::Status& status, const std::string& name) {
  const auto info = detail<google::rpc::ErrorInfo>(status);
  std::string text = str_cat(status.error_code(), "|", status.error_message(), "|", info.reason());
  google::rpc::Status all;
  EXPECT_TRUE(all.ParseFromString(status.error_details()));
  for (const auto& any : all.details()) {
    str_append(&text, "|", any.type_url(), " ", any.value().size());
  }
  const std::map<std::string, std::string> metadata(info.metadata().begin(), info.metadata().end());
  for (const auto& [key, value] : metadata) str_append(&text, "|", key, "=", value);
  const std::string id = name.substr(name.find('/') + 1);
  for (size_t at = text.find(id); at != std::string::npos; at = text.find(id)) {
    text.replace(at, id.size(), "#");
  }
  return text;
}

void expect_same_answer(const grpc::Status& a, const std::string& name_a, const grpc::Status& b,
                        const std::string& name_b) {
  EXPECT_EQ(visible(a, name_a), visible(b, name_b));
}

TEST_F(Access, WithoutCredentialsThatAreKnownNobodyGetsIn) {
  expect_error(get("", kMissing), StatusCode::UNAUTHENTICATED, "CREDENTIALS_MISSING");
  expect_error(get("late", kMissing), StatusCode::UNAUTHENTICATED, "CREDENTIALS_EXPIRED");
  const std::string good = folder_.token("a");
  std::string wrong_secret = good;
  wrong_secret.back() = wrong_secret.back() == '0' ? '1' : '0';
  for (const std::string& header :
       {"Bearer " + wrong_secret, "Bearer " + make_token()->token, std::string("Bearer "),
        "Basic " + good, good, "Bearer " + good + " ", "Bearer  " + good, std::string(4000, 'x')}) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", header);
    v1::Job job;
    v1::GetJobRequest request;
    request.set_name(kMissing);
    expect_error(server_->jobs().Get(&context, request, &job), StatusCode::UNAUTHENTICATED,
                 "CREDENTIALS_INVALID");
  }
}

TEST_F(Access, TwoTokensInOneCallAreNone) {
  grpc::ClientContext context;
  use_token(context, folder_.token("a"));
  use_token(context, folder_.token("b"));
  v1::Job job;
  expect_error(server_->jobs().Get(&context, v1::GetJobRequest(), &job),
               StatusCode::UNAUTHENTICATED, "CREDENTIALS_INVALID");
}

TEST_F(Access, SubmittingNeedsTheQueue) {
  submitted("a", "qa");
  submitted("a", "shared-1");
  v1::Job job;
  const grpc::Status denied = submit("a", "qb", &job);
  expect_error(denied, StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
  EXPECT_EQ(detail<google::rpc::ErrorInfo>(denied).metadata().at("queue"), "qb");
  // No queue is the queue "default".
  expect_error(submit("a", "", &job), StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
  expect_error(submit("reader", "qa", &job), StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
}

TEST_F(Access, PermissionComesBeforeExistence) {
  const std::string mine = submitted("a", "qa");
  // Without the permission on any queue: denied, whether it exists or not.
  expect_same_answer(cancel("reader", mine), mine, cancel("reader", kMissing), kMissing);
  expect_error(cancel("reader", mine), StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
  v1::SubmitJobRequest unknown;
  unknown.mutable_job()->set_pipeline("no-such-pipeline");
  v1::Job job;
  expect_error(call(&v1::Jobs::Stub::Submit, "reader", unknown, &job),
               StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
  unknown.mutable_job()->set_queue("qb");
  expect_error(call(&v1::Jobs::Stub::Submit, "a", unknown, &job), StatusCode::PERMISSION_DENIED,
               "PERMISSION_MISSING");
}

TEST_F(Access, AJobOfAQueueOneMayNotReadIsNotThere) {
  const std::string theirs = submitted("b", "qb");
  expect_error(get("a", theirs), StatusCode::NOT_FOUND, "JOB_NOT_FOUND");
  expect_same_answer(get("a", theirs), theirs, get("a", kMissing), kMissing);
  expect_same_answer(cancel("a", theirs), theirs, cancel("a", kMissing), kMissing);
  expect_same_answer(remove("a", theirs, false), theirs, remove("a", kMissing, false), kMissing);
  EXPECT_TRUE(remove("a", theirs, true).ok());  // as for one that is missing, and nothing happens
  v1::WaitJobRequest wait;
  wait.set_name(theirs);
  v1::Job job;
  expect_error(call(&v1::Jobs::Stub::Wait, "a", wait, &job), StatusCode::NOT_FOUND,
               "JOB_NOT_FOUND");
  grpc::ClientContext context;
  use_token(context, folder_.token("a"));
  v1::WatchJobRequest watch;
  watch.set_name(theirs);
  const auto stream = server_->jobs().Watch(&context, watch);
  v1::JobEvent event;
  EXPECT_FALSE(stream->Read(&event));
  expect_error(stream->Finish(), StatusCode::NOT_FOUND, "JOB_NOT_FOUND");
  EXPECT_TRUE(get("b", theirs).ok());
  EXPECT_TRUE(get("reader", theirs).ok());
}

TEST_F(Access, InAQueueOneMayReadAMissingPermissionIsTold) {
  const std::string name = submitted("a", "qa");
  EXPECT_TRUE(get("watcher-of-a", name).ok());
  expect_error(cancel("watcher-of-a", name), StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
  EXPECT_TRUE(cancel("a", name).ok());
}

TEST_F(Access, AListShowsOnlyWhatOneMayRead) {
  std::set<std::string> of_a;
  std::set<std::string> all;
  for (int i = 0; i < 40; ++i) {
    const std::string name = i % 5 == 0 ? submitted("a", "qa") : submitted("b", "qb");
    if (i % 5 == 0) of_a.insert(name);
    all.insert(name);
  }
  EXPECT_EQ(listed("a", 3), of_a);
  EXPECT_EQ(listed("a", 1), of_a);
  EXPECT_EQ(listed("a", 100), of_a);
  EXPECT_EQ(listed("reader", 7), all);
  v1::ListJobsRequest request;
  v1::ListJobsResponse page;
  request.set_filter("queue = qa");
  ASSERT_TRUE(call(&v1::Jobs::Stub::List, "a", request, &page).ok());
  EXPECT_EQ(page.jobs_size(), static_cast<int>(of_a.size()));
  request.set_filter("queue = qb");
  expect_error(call(&v1::Jobs::Stub::List, "a", request, &page), StatusCode::PERMISSION_DENIED,
               "PERMISSION_MISSING");
}

TEST_F(Access, GrantsThatNamePipelinesTakeNothingElse) {
  v1::SubmitJobRequest request;
  request.mutable_job()->set_queue("qa");
  request.mutable_job()->set_pipeline("pair");
  request.mutable_job()->set_input("{\"a\":1}");
  v1::Job job;
  EXPECT_TRUE(call(&v1::Jobs::Stub::Submit, "narrow", request, &job).ok());
  request.mutable_job()->set_stage("test/echo");
  expect_error(call(&v1::Jobs::Stub::Submit, "narrow", request, &job),
               StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
  request.mutable_job()->set_pipeline_yaml("pipeline: x\nstages: { a: { use: test/echo } }\n");
  expect_error(call(&v1::Jobs::Stub::Submit, "narrow", request, &job),
               StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
  request.mutable_job()->set_pipeline("other");
  expect_error(call(&v1::Jobs::Stub::Submit, "narrow", request, &job),
               StatusCode::PERMISSION_DENIED, "PERMISSION_MISSING");
}

TEST_F(Access, RequestIdsAreThePrincipalsOwn) {
  v1::Job of_a;
  v1::Job again;
  v1::Job of_b;
  ASSERT_TRUE(submit("a", "qa", &of_a, "night-run").ok());
  ASSERT_TRUE(submit("a", "qa", &again, "night-run").ok());
  EXPECT_EQ(of_a.name(), again.name());
  // As long as it may be, whatever the principal's name.
  ASSERT_TRUE(submit("a", "qa", &again, std::string(128, 'x')).ok());
  // Neither an answer with the job of a, nor a conflict that tells that there is one.
  const grpc::Status status = submit("b", "qb", &of_b, "night-run");
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_NE(of_a.name(), of_b.name());
}

TEST_F(Access, ProbesNeedNoCredentials) {
  const auto stub = grpc::health::v1::Health::NewStub(server_->channel());
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse answer;
  EXPECT_TRUE(stub->Check(&context, grpc::health::v1::HealthCheckRequest(), &answer).ok());
}

// Waits until `who` is answered with `code`: the file is looked at every second.
void wait_for(const std::function<grpc::Status()>& call, StatusCode code) {
  while (call().error_code() != code) {
  }
}

TEST_F(Access, ATokensFileThatChangesIsInForceWithoutARestart) {
  folder_.add("new", "{ allow: [read], queues: ['*'] }");
  folder_.remove("a");
  folder_.save();
  wait_for([&] { return get("new", kMissing); }, StatusCode::NOT_FOUND);
  expect_error(get("a", kMissing), StatusCode::UNAUTHENTICATED, "CREDENTIALS_INVALID");
}

TEST_F(Access, ABadTokensFileLeavesTheOldOneInForce) {
  folder_.write("tokens.yaml", "tokens: [ {");
  server_->wait_until([&] { return problems_ == 1; });
  EXPECT_EQ(get("a", kMissing).error_code(), StatusCode::NOT_FOUND);
  folder_.add("new", "{ allow: [read], queues: ['*'] }");
  folder_.save();
  wait_for([&] { return get("new", kMissing); }, StatusCode::NOT_FOUND);
  server_->wait_until([&] { return problems_ == 1; });  // told once
}

// Whoever adds a service or a method cannot forget this: it is asked of the server itself.
TEST_F(Access, EveryMethodOfEveryServiceAsksWhoCalls) {
  int methods = 0;
  grpc::GenericStub stub(server_->channel());
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  for (const char* file :
       {"fermata/v1/jobs.proto", "fermata/v1/pipelines.proto", "fermata/v1/plugins.proto"}) {
    const auto* descriptor = pool->FindFileByName(file);
    ASSERT_NE(descriptor, nullptr) << file;
    for (int s = 0; s < descriptor->service_count(); ++s) {
      const auto* service = descriptor->service(s);
      for (int m = 0; m < service->method_count(); ++m, ++methods) {
        const std::string path =
            str_cat("/", service->full_name(), "/", service->method(m)->name());
        grpc::ClientContext context;
        grpc::CompletionQueue queue;
        auto call = stub.PrepareCall(&context, path, &queue);
        void* tag = nullptr;
        bool ok = false;
        call->StartCall(nullptr);
        queue.Next(&tag, &ok);
        // gRPC calls a handler when the request is there.
        const grpc::Slice nothing("");
        call->WriteLast(grpc::ByteBuffer(&nothing, 1), grpc::WriteOptions(), nullptr);
        queue.Next(&tag, &ok);
        grpc::Status status;
        call->Finish(&status, nullptr);
        queue.Next(&tag, &ok);
        expect_error(status, StatusCode::UNAUTHENTICATED, "CREDENTIALS_MISSING");
        queue.Shutdown();
        while (queue.Next(&tag, &ok)) {
        }
      }
    }
  }
  EXPECT_EQ(methods, static_cast<int>(kRpcMethods));
}

}  // namespace
}  // namespace fermata::frontend
