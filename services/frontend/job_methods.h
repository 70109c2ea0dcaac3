// The unary methods of fermata.v1.Jobs, each as a Method of unary_call.h: what is checked on gRPC's
// thread, and what is asked of the engine on the loop. The promises are those of jobs.proto.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "fermata/v1/jobs.pb.h"
#include "grpcpp/support/byte_buffer.h"
#include "services/async/async.h"
#include "services/engine/engine.h"
#include "services/frontend/call_context.h"
#include "services/frontend/rpc_hub.h"
#include "services/frontend/rpc_method.h"
#include "services/frontend/wire.h"

namespace fermata::frontend {

using Answer = absl::StatusOr<Encoded>;

struct SubmitMethod {
  using Request = v1::SubmitJobRequest;
  using Prepared = SubmitRequest;
  static constexpr RpcMethod kMethod = RpcMethod::kSubmit;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext& call, Request& request, Prepared& prepared);
};

struct RunMethod {
  using Request = v1::RunJobRequest;
  using Prepared = SubmitRequest;
  static constexpr RpcMethod kMethod = RpcMethod::kRun;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext& call, Request& request, Prepared& prepared);
};

struct GetMethod {
  using Request = v1::GetJobRequest;
  using Prepared = std::string;  // the id
  static constexpr RpcMethod kMethod = RpcMethod::kGet;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext& call, Request& request, Prepared& id);
};

struct ListMethod {
  using Request = v1::ListJobsRequest;
  using Prepared = ListQuery;
  static constexpr RpcMethod kMethod = RpcMethod::kList;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext& call, Request& request, Prepared& query);
};

struct WaitMethod {
  using Request = v1::WaitJobRequest;
  struct Prepared {
    std::string id;
    absl::Duration timeout;
  };
  static constexpr RpcMethod kMethod = RpcMethod::kWait;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext& call, Request& request, Prepared& prepared);
};

struct CancelMethod {
  using Request = v1::CancelJobRequest;
  using Prepared = std::string;
  static constexpr RpcMethod kMethod = RpcMethod::kCancel;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext& call, Request& request, Prepared& id);
};

struct DeleteMethod {
  using Request = v1::DeleteJobRequest;
  using Prepared = std::string;
  static constexpr RpcMethod kMethod = RpcMethod::kDelete;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext& call, Request& request, Prepared& id);
};

}  // namespace fermata::frontend
