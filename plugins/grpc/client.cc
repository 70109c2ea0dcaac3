#include "plugins/grpc/client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "plugins/grpc/unary_call.h"
#include "services/config/bytes.h"
#include "services/config/duration.h"
#include "services/config/json.h"
#include "services/config/str_cat.h"
#include "services/config/utf8.h"

namespace fermata::grpc_call {
namespace {

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

std::string_view view(const grpc::string_ref& text) { return {text.data(), text.size()}; }

std::shared_ptr<grpc::ChannelCredentials> credentials(const Target& target) {
  if (!target.tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = target.ca;
  options.pem_cert_chain = target.certificate;
  options.pem_private_key = target.key;
  return grpc::SslCredentials(options);
}

// A name that comes twice has an array of values.
void append_metadata(const Metadata& metadata, std::string* out) {
  *out += '{';
  for (auto it = metadata.begin(); it != metadata.end();) {
    const auto end = metadata.upper_bound(it->first);
    const bool many = std::next(it) != end;
    str_append(out, out->back() == '{' ? "" : ",", json_quote(view(it->first)), many ? ":[" : ":");
    for (bool first = true; it != end; ++it, first = false) {
      const std::string_view value = view(it->second);
      const bool plain = !view(it->first).ends_with("-bin") && is_utf8(value);
      str_append(
          out, first ? "" : ",",
          plain ? json_quote(value) : str_cat("\"", absl::Base64Escape(for_absl(value)), "\""));
    }
    if (many) *out += ']';
  }
  *out += '}';
}

std::string bytes_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  (void)buffer.Dump(&slices);
  std::string out;
  for (const grpc::Slice& slice : slices) {
    out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return out;
}

absl::StatusCode code_of(const grpc::Status& status) {
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  // Nobody here has cancelled it: the server did, or what is between.
  return code == absl::StatusCode::kCancelled ? absl::StatusCode::kAborted : code;
}

}  // namespace

std::shared_ptr<grpc::Channel> Client::channel(const std::string& name) {
  std::shared_ptr<grpc::Channel>& channel = channels_[name];
  if (channel != nullptr) return channel;
  const Target& target = config_.targets.at(name);
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(config_.message_bytes_max));
  arguments.SetMaxSendMessageSize(static_cast<int>(config_.message_bytes_max));
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // whatever the environment says
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);     // that is the pipeline's
  if (!target.server_name.empty()) arguments.SetSslTargetNameOverride(target.server_name);
  channel = grpc::CreateCustomChannel(target.address, credentials(target), arguments);
  return channel;
}

Co<absl::StatusOr<std::string>> Client::call(const Request& request, absl::Duration* retry_after) {
  const absl::Time begin = now();
  grpc::GenericStub stub(channel(request.target));
  grpc::ClientContext context;
  for (const auto& [name, value] : request.metadata) context.AddMetadata(name, value);
  context.set_wait_for_ready(request.wait_for_ready);
  // gRPC's own clock starts now; ours would also do, but the server is told this way.
  const gpr_timespec limit =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_millis(absl::ToInt64Milliseconds(request.timeout), GPR_TIMESPAN));
  context.set_deadline(limit);
  const grpc::Slice slice(request.message);
  const grpc::ByteBuffer message(&slice, 1);
  grpc::ByteBuffer response;
  const grpc::Status status = co_await UnaryCall(stub, context, request.method, message, response);
  const std::string what = str_cat("grpc ", request.target, request.method, ": ");
  if (status.ok()) {
    std::string out = "{\"message_base64\":\"";
    str_append(&out, absl::Base64Escape(bytes_of(response)), "\",\"metadata\":");
    append_metadata(context.GetServerInitialMetadata(), &out);
    out += ",\"trailers\":";
    append_metadata(context.GetServerTrailingMetadata(), &out);
    str_append(&out, ",\"elapsed_ms\":", absl::ToInt64Milliseconds(now() - begin), "}");
    co_return out;
  }
  const auto pushback = context.GetServerTrailingMetadata().find("grpc-retry-pushback-ms");
  std::int64_t wait_ms = 0;
  if (pushback != context.GetServerTrailingMetadata().end() &&
      absl::SimpleAtoi(for_absl(view(pushback->second)), &wait_ms) && wait_ms >= 0) {
    *retry_after = absl::Milliseconds(wait_ms);
  }
  const std::string text = utf8_preview(status.error_message(), 400);
  if (status.error_code() == grpc::DEADLINE_EXCEEDED && now() - begin >= request.timeout) {
    co_return absl::UnavailableError(
        str_cat(what, "not done after ", format_duration(request.timeout), " (timeout)"));
  }
  if (text.find("message larger than max") != std::string::npos) {
    co_return absl::OutOfRangeError(str_cat(what, "the answer is larger than ",
                                            format_bytes(config_.message_bytes_max),
                                            " (max_message)"));
  }
  co_return absl::Status(code_of(status),
                         str_cat(what, absl::StatusCodeToString(code_of(status)), ": ", text));
}

}  // namespace fermata::grpc_call
