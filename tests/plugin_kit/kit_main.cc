// main() of tests that run checks: the same program is the child that runs one of them.
#include "gtest/gtest.h"
#include "services/plugin_kit/check_process.h"

int main(int argc, char** argv) {
  if (fermata::kit::is_check_child(argc, argv, 1)) {
    return fermata::kit::check_child_main(argc, argv, 1);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
