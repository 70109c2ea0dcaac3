// From the engine's records and events to the messages of the API. Loop thread (reads records only,
// so any thread would do).
#pragma once

#include "fermata/v1/jobs.pb.h"
#include "grpcpp/support/byte_buffer.h"
#include "services/engine/job_event.h"
#include "services/store/job_record.h"

namespace fermata::frontend {

// `view`, or `fallback` when the client left it to us.
v1::JobView view_or(v1::JobView view, v1::JobView fallback);

void fill_job(const JobRecord& record, v1::JobView view, v1::Job* out);

// The same as the bytes of an answer; a large result is shared, not copied.
grpc::ByteBuffer encode_job(const JobView& record, v1::JobView view);

grpc::ByteBuffer encode_event(const JobEvent& event);

}  // namespace fermata::frontend
