#include "services/frontend/catalog_methods.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "services/config/str_cat.h"
#include "services/config/utf8.h"
#include "services/engine/errors.h"
#include "services/frontend/page_token.h"
#include "services/frontend/resource_name.h"
#include "services/frontend/wire.h"
#include "services/pipeline/pipeline_library.h"
#include "services/stages/stages.h"

namespace fermata::frontend {
namespace {

constexpr int32_t kPageSize = 50;
constexpr int32_t kMaxPageSize = 1000;
constexpr size_t kMaxText = 4096;

static_assert(static_cast<int>(GenerationState::kCreated) + 1 == v1::Plugin::CREATED);
static_assert(static_cast<int>(GenerationState::kActive) + 1 == v1::Plugin::ACTIVE);
static_assert(static_cast<int>(GenerationState::kFailed) + 1 == v1::Plugin::FAILED);

absl::StatusOr<CatalogPage> read_page(int32_t size, const std::string& token) {
  CatalogPage page;
  const absl::StatusOr<int32_t> checked = read_page_size(size, kPageSize, kMaxPageSize);
  if (!checked.ok()) {
    return invalid_field("page_size",
                         {checked.status().message().data(), checked.status().message().size()});
  }
  absl::StatusOr<std::string> after = read_page_token(token, "");
  if (!after.ok()) {
    return invalid_field("page_token",
                         {after.status().message().data(), after.status().message().size()});
  }
  return CatalogPage{*checked, *std::move(after)};
}

void fill_pipeline(const Pipeline& pipeline, v1::Pipeline* out) {
  out->set_name(str_cat("pipelines/", pipeline.name));
  out->set_version(pipeline.version);
  if (pipeline.input != nullptr) out->set_input_schema(pipeline.input->text());
  for (const PipelineStage& stage : pipeline.stages) {
    v1::PipelineStage* to = out->add_stages();
    to->set_name(stage.name);
    to->set_use(stage.use);
    for (const int after : stage.after) {
      to->add_after(pipeline.stages[static_cast<size_t>(after)].name);
    }
    if (stage.each.has_value()) to->set_each(stage.each->text());
    to->set_parallel(stage.parallel);
    to->set_gather(std::string(gather_mode_name(stage.gather)));
    to->set_attempts(stage.retry.attempts);
    to->set_if_lost(std::string(if_lost_name(stage.if_lost)));
    const int64_t ns = absl::ToInt64Nanoseconds(stage.timeout);
    to->mutable_timeout()->set_seconds(ns / 1'000'000'000);
    to->mutable_timeout()->set_nanos(static_cast<int32_t>(ns % 1'000'000'000));
  }
}

std::string clean(const std::string& text) {
  return is_utf8(text) && text.size() <= kMaxText ? text : utf8_preview(text, kMaxText);
}

void fill_plugin(const PluginInfo& plugin, const Redactor& redactor, v1::Plugin* out) {
  out->set_id(clean(plugin.id));
  out->set_version(clean(plugin.version));
  out->set_file(clean(plugin.file));
  out->set_sha256(plugin.sha256);
  out->set_state(plugin.loaded ? v1::Plugin::LOADED : v1::Plugin::REFUSED);
  out->set_refusal(clean(redactor.redact(plugin.refusal)));
  if (plugin.loaded) {
    out->set_phase(static_cast<v1::Plugin::Phase>(static_cast<int>(plugin.state) + 1));
  }
  out->set_placement(plugin.placement);
  out->set_calls(static_cast<int64_t>(plugin.calls));
  out->set_process(clean(plugin.process));
  for (const StageInfo& stage : plugin.stages) {
    v1::Stage* to = out->add_stages();
    to->set_name(clean(stage.use));
    to->set_summary(clean(stage.summary));
    to->set_config_schema(stage.config_schema);
    to->set_input_schema(stage.input_schema);
  }
}

std::string plugin_name(const PluginInfo& plugin) {
  if (!plugin.short_name.empty()) return clean(plugin.short_name);
  std::string file = plugin.file.substr(plugin.file.rfind('/') + 1);
  if (file.size() > 3 && file.compare(file.size() - 3, 3, ".so") == 0) file.resize(file.size() - 3);
  return clean(file);
}

}  // namespace

absl::StatusOr<CatalogPage> ListPipelinesMethod::prepare(const RpcLimits&, Request& request) {
  return read_page(request.page_size(), request.page_token());
}

Co<Answer> ListPipelinesMethod::answer(RpcHub& hub, CallContext&, Request&, Prepared& page) {
  v1::ListPipelinesResponse answer;
  for (const std::shared_ptr<const Pipeline>& pipeline : hub.backend.pipelines.list()) {
    if (!page.after.empty() && pipeline->name <= page.after) continue;
    if (answer.pipelines_size() == page.size) {
      const std::string& last = answer.pipelines(page.size - 1).name();
      answer.set_next_page_token(make_page_token(last.substr(last.find('/') + 1), ""));
      break;
    }
    fill_pipeline(*pipeline, answer.add_pipelines());
  }
  co_return encode(answer);
}

absl::StatusOr<std::string> GetPipelineMethod::prepare(const RpcLimits&, Request& request) {
  return pipeline_id_of(request.name());
}

Co<Answer> GetPipelineMethod::answer(RpcHub& hub, CallContext&, Request&, Prepared& id) {
  const absl::StatusOr<std::shared_ptr<const Pipeline>> found = hub.backend.pipelines.resolve(id);
  if (!found.ok()) co_return pipeline_not_found(id, found.status());
  v1::Pipeline answer;
  fill_pipeline(**found, &answer);
  co_return encode(answer);
}

absl::StatusOr<CatalogPage> ListPluginsMethod::prepare(const RpcLimits&, Request& request) {
  return read_page(request.page_size(), request.page_token());
}

Co<Answer> ListPluginsMethod::answer(RpcHub& hub, CallContext&, Request&, Prepared& page) {
  const std::vector<PluginInfo> plugins = hub.backend.stages.list();
  // Two files may claim one name (the second is refused), so the file is part of the order.
  std::vector<std::pair<std::string, const PluginInfo*>> order;
  for (const PluginInfo& plugin : plugins) {
    // So may a version of it that was there before.
    order.emplace_back(str_cat(plugin_name(plugin), std::string_view("\0", 1), plugin.file,
                               std::string_view("\0", 1), plugin.version, plugin.sha256),
                       &plugin);
  }
  std::sort(order.begin(), order.end());
  v1::ListPluginsResponse answer;
  std::string last;
  for (const auto& [key, plugin] : order) {
    if (!page.after.empty() && key <= page.after) continue;
    if (answer.plugins_size() == page.size) {
      answer.set_next_page_token(make_page_token(last, ""));
      break;
    }
    v1::Plugin* out = answer.add_plugins();
    out->set_name(str_cat("plugins/", plugin_name(*plugin)));
    fill_plugin(*plugin, hub.guard.redactor, out);
    last = key;
  }
  co_return encode(answer);
}

}  // namespace fermata::frontend
