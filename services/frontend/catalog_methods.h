// The methods of fermata.v1.Pipelines and fermata.v1.Plugins: what this server can run. Lists of a
// few hundred entries that seldom change, built anew per call on the loop.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "fermata/v1/pipelines.pb.h"
#include "fermata/v1/plugins.pb.h"
#include "services/frontend/job_methods.h"

namespace fermata::frontend {

struct CatalogPage {
  int32_t size = 0;
  std::string after;  // the last name of the page before
};

struct ListPipelinesMethod {
  using Request = v1::ListPipelinesRequest;
  using Prepared = CatalogPage;
  static constexpr RpcMethod kMethod = RpcMethod::kListPipelines;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext&, Request& request, Prepared& page);
};

struct GetPipelineMethod {
  using Request = v1::GetPipelineRequest;
  using Prepared = std::string;  // the id
  static constexpr RpcMethod kMethod = RpcMethod::kGetPipeline;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext&, Request& request, Prepared& id);
};

struct ListPluginsMethod {
  using Request = v1::ListPluginsRequest;
  using Prepared = CatalogPage;
  static constexpr RpcMethod kMethod = RpcMethod::kListPlugins;
  static absl::StatusOr<Prepared> prepare(const RpcLimits& limits, Request& request);
  static Co<Answer> answer(RpcHub& hub, CallContext&, Request& request, Prepared& page);
};

}  // namespace fermata::frontend
