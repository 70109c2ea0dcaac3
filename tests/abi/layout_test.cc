// The ABI's structs are where they always were, for a C and for a C++ compiler.
#include "tests/abi/layout.h"

#include <string>

#include "gtest/gtest.h"
#include "plugins/abi/fermata_abi.h"

namespace {

void expect_frozen(const layout_row* rows, size_t count) {
  ASSERT_GT(count, 100u);
  for (size_t i = 0; i < count; ++i) EXPECT_EQ(rows[i].actual, rows[i].frozen) << rows[i].what;
}

TEST(AbiLayout, EveryFieldIsWhereItAlwaysWasInC11) {
  expect_frozen(layout_in_c, layout_in_c_count);
}

TEST(AbiLayout, EveryFieldIsWhereItAlwaysWasInCpp20) {
  expect_frozen(layout_in_cpp, layout_in_cpp_count);
}

TEST(AbiLayout, EveryStructHasARowForItsLastField) {
  // What comes after the last row is padding only: a field appended without a row would show here.
  size_t end = 0;
  for (size_t i = 0; i < layout_in_cpp_count; ++i) {
    const std::string what = layout_in_cpp[i].what;
    if (what == "fermata_host.metric_update") end = layout_in_cpp[i].frozen + sizeof(void*);
  }
  EXPECT_EQ(sizeof(fermata_host), end);
  EXPECT_EQ(sizeof(fermata_stage), offsetof(fermata_stage, instance_blocking) + sizeof(void*));
  EXPECT_EQ(sizeof(fermata_plugin), offsetof(fermata_plugin, fini) + sizeof(void*));
  EXPECT_EQ(sizeof(fermata_event), offsetof(fermata_event, buf) + sizeof(fermata_buf));
  EXPECT_EQ(sizeof(fermata_request), offsetof(fermata_request, checkpoint) + sizeof(fermata_buf));
  EXPECT_EQ(sizeof(fermata_failure), offsetof(fermata_failure, retry_after_ns) + sizeof(uint64_t));
  EXPECT_EQ(sizeof(fermata_metric_def), offsetof(fermata_metric_def, n_bounds) + sizeof(uint32_t));
}

TEST(AbiLayout, AnOlderStructDoesNotHaveALaterField) {
  fermata_host host{};
  host.struct_size = offsetof(fermata_host, metric_update);
  EXPECT_FALSE(FERMATA_HAS(fermata_host, &host, metric_update));
  EXPECT_TRUE(FERMATA_HAS(fermata_host, &host, metric_define));
}

}  // namespace
