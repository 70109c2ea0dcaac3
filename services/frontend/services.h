// The three gRPC services: nothing but the way from gRPC's handler to the call that does the work.
// Methods are raw (wire.h says why). Each handler runs on a thread of gRPC.
#pragma once

#include "fermata/v1/jobs.grpc.pb.h"
#include "fermata/v1/pipelines.grpc.pb.h"
#include "fermata/v1/plugins.grpc.pb.h"
#include "grpcpp/support/byte_buffer.h"
#include "services/frontend/catalog_methods.h"
#include "services/frontend/job_methods.h"
#include "services/frontend/rpc_hub.h"
#include "services/frontend/unary_call.h"
#include "services/frontend/watch_call.h"

namespace fermata::frontend {

using RawJobs = v1::Jobs::WithRawCallbackMethod_Submit<
    v1::Jobs::WithRawCallbackMethod_Run<v1::Jobs::WithRawCallbackMethod_Get<
        v1::Jobs::WithRawCallbackMethod_List<v1::Jobs::WithRawCallbackMethod_Wait<
            v1::Jobs::WithRawCallbackMethod_Watch<v1::Jobs::WithRawCallbackMethod_Cancel<
                v1::Jobs::WithRawCallbackMethod_Delete<v1::Jobs::Service>>>>>>>>;

class JobsService final : public RawJobs {
 public:
  explicit JobsService(RpcHub& hub) : hub_(hub) {}

 private:
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  using Unary = grpc::ServerUnaryReactor;

  Unary* Submit(Context* context, const Bytes* request, Bytes* answer) override {
    return UnaryCall<SubmitMethod>::start(hub_, *context, *request, answer);
  }
  Unary* Run(Context* context, const Bytes* request, Bytes* answer) override {
    return UnaryCall<RunMethod>::start(hub_, *context, *request, answer);
  }
  Unary* Get(Context* context, const Bytes* request, Bytes* answer) override {
    return UnaryCall<GetMethod>::start(hub_, *context, *request, answer);
  }
  Unary* List(Context* context, const Bytes* request, Bytes* answer) override {
    return UnaryCall<ListMethod>::start(hub_, *context, *request, answer);
  }
  Unary* Wait(Context* context, const Bytes* request, Bytes* answer) override {
    return UnaryCall<WaitMethod>::start(hub_, *context, *request, answer);
  }
  grpc::ServerWriteReactor<Bytes>* Watch(Context* context, const Bytes* request) override {
    return WatchCall::start(hub_, *context, *request);
  }
  Unary* Cancel(Context* context, const Bytes* request, Bytes* answer) override {
    return UnaryCall<CancelMethod>::start(hub_, *context, *request, answer);
  }
  Unary* Delete(Context* context, const Bytes* request, Bytes* answer) override {
    return UnaryCall<DeleteMethod>::start(hub_, *context, *request, answer);
  }

  RpcHub& hub_;
};

using RawPipelines = v1::Pipelines::WithRawCallbackMethod_List<
    v1::Pipelines::WithRawCallbackMethod_Get<v1::Pipelines::Service>>;

class PipelinesService final : public RawPipelines {
 public:
  explicit PipelinesService(RpcHub& hub) : hub_(hub) {}

 private:
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const grpc::ByteBuffer* request,
                                 grpc::ByteBuffer* answer) override {
    return UnaryCall<ListPipelinesMethod>::start(hub_, *context, *request, answer);
  }
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const grpc::ByteBuffer* request,
                                grpc::ByteBuffer* answer) override {
    return UnaryCall<GetPipelineMethod>::start(hub_, *context, *request, answer);
  }

  RpcHub& hub_;
};

using RawPlugins = v1::Plugins::WithRawCallbackMethod_List<v1::Plugins::Service>;

class PluginsService final : public RawPlugins {
 public:
  explicit PluginsService(RpcHub& hub) : hub_(hub) {}

 private:
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const grpc::ByteBuffer* request,
                                 grpc::ByteBuffer* answer) override {
    return UnaryCall<ListPluginsMethod>::start(hub_, *context, *request, answer);
  }

  RpcHub& hub_;
};

}  // namespace fermata::frontend
