// The laboratory itself: virtual time, faults where the plan says, and bytes that bite.
#include <cstring>
#include <string>

#include "gtest/gtest.h"
#include "services/plugin_kit/lab_host.h"

namespace fermata::kit {
namespace {

const fermata_host& host = LabHost::table();

// A stage of one timer, an hour from now, and its input as output.
struct Waiter {
  static fermata_status create(fermata_instance* handle, fermata_str, void** inst) noexcept {
    *inst = handle;
    return FERMATA_OK;
  }
  static void destroy(void*) noexcept {}
  static fermata_status start(void* inst, fermata_call* call, const fermata_request*,
                              void** state) noexcept {
    *state = call;
    const uint64_t due =
        host.now_ns(static_cast<fermata_instance*>(inst)) + uint64_t{3600} * 1'000'000'000;
    const fermata_status status = host.sleep_until(call, 1, due, 0);
    return status < 0 ? status : FERMATA_PENDING;
  }
  static fermata_status resume(void* state, const fermata_event* event) noexcept {
    if (event->status < 0) return event->status;
    fermata_buf out;
    auto* call = static_cast<fermata_call*>(state);
    if (host.buf_alloc(call, 2, &out) < 0) return FERMATA_E_NOMEM;
    std::memcpy(out.ptr, "{}", 2);
    const fermata_status status = host.emit(call, &out, FERMATA_EMIT_FINAL);
    host.buf_release(out.ref);
    return status;
  }
  static void finish(void*) noexcept {}
  static const fermata_stage& stage() {
    static fermata_stage stage{};
    stage.struct_size = sizeof stage;
    stage.create = &create;
    stage.destroy = &destroy;
    stage.start = &start;
    stage.resume = &resume;
    stage.finish = &finish;
    return stage;
  }
};

LabCall& run(LabHost& lab) {
  LabInstance* instance = lab.create(Waiter::stage(), "{}", nullptr);
  LabCall& call = lab.start(*instance, "{}");
  lab.run(call);
  lab.destroy(*instance);
  return call;
}

TEST(LabHost, TimeJumpsToTheNextTimer) {
  LabHost lab;
  const uint64_t before = lab.now_ns();
  const LabCall& call = run(lab);
  EXPECT_EQ(call.status, FERMATA_OK);
  EXPECT_EQ(call.output, "{}");
  EXPECT_EQ(lab.now_ns() - before, uint64_t{3600} * 1'000'000'000);
  EXPECT_TRUE(lab.violations().empty());
  EXPECT_EQ(lab.live_buffers(), 0u);
}

TEST(LabHost, EachFaultHappensWhereThePlanSays) {
  LabPlan refused;
  refused.refuse_op = 1;
  LabHost one(refused);
  EXPECT_EQ(run(one).status, FERMATA_E_NOMEM);
  EXPECT_TRUE(one.fault_happened());

  LabPlan cancelled;
  cancelled.cancel_before_event = 1;
  LabHost two(cancelled);
  EXPECT_EQ(run(two).status, FERMATA_E_CANCELLED);

  LabPlan poor;
  poor.refuse_buffer = 1;
  LabHost three(poor);
  EXPECT_EQ(run(three).status, FERMATA_E_NOMEM);

  LabPlan later;
  later.refuse_op = 2;
  LabHost four(later);
  EXPECT_EQ(run(four).status, FERMATA_OK);
  EXPECT_FALSE(four.fault_happened());
}

TEST(LabHost, ADeadlineCancelsTheCall) {
  LabHost lab;
  LabInstance* instance = lab.create(Waiter::stage(), "{}", nullptr);
  LabCall& call = lab.start(*instance, "{}", 1'000'000);
  lab.run(call);
  EXPECT_EQ(call.status, FERMATA_E_CANCELLED);
  EXPECT_EQ(call.cancelled, FERMATA_CANCEL_DEADLINE);
  EXPECT_EQ(call.ended_ns, call.deadline_ns);
  lab.destroy(*instance);
}

using LabBuffersDeathTest = testing::Test;

TEST(LabBuffersDeathTest, BytesBiteAfterTheirLastReleaseAfterEmitAndBehindTheirEnd) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  LabBuffers buffers;
  const fermata_buf released = buffers.make("0123456789abcdef");
  LabBuffers::release(released.ref);
  EXPECT_DEATH((void)*static_cast<volatile uint8_t*>(released.ptr), "");
  const fermata_buf sealed = buffers.make("0123456789abcdef");
  buffers.seal(sealed);
  EXPECT_EQ(sealed.ptr[0], '0');
  EXPECT_DEATH(*static_cast<volatile uint8_t*>(sealed.ptr) = 1, "");
  EXPECT_DEATH((void)static_cast<volatile uint8_t*>(sealed.ptr)[16], "");
  EXPECT_EQ(buffers.live(), 1u);
  LabBuffers::release(sealed.ref);
  EXPECT_EQ(buffers.live(), 0u);
  EXPECT_TRUE(buffers.take_faults().empty());
  LabBuffers::release(sealed.ref);
  EXPECT_EQ(buffers.take_faults().size(), 1u);
}

}  // namespace
}  // namespace fermata::kit
