/* What every small C plugin here has in common: one stage that answers at once. */
#ifndef TESTS_STAGES_BAD_PLUGIN_PARTS_H_
#define TESTS_STAGES_BAD_PLUGIN_PARTS_H_

#include "plugins/abi/fermata_abi.h"

#define TEXT(literal) {literal, sizeof(literal) - 1}

/* What some of them define differently, before they include this. */
#ifndef CONFIG_SCHEMA
#define CONFIG_SCHEMA ""
#endif
#ifndef INIT
#define INIT 0
#endif

static fermata_status create(fermata_instance* instance, fermata_str config, void** inst) {
  (void)instance, (void)config, (void)inst;
  return FERMATA_OK;
}
static void destroy(void* inst) { (void)inst; }
static fermata_status start(void* inst, fermata_call* call, const fermata_request* request,
                            void** state) {
  (void)inst, (void)call, (void)request, (void)state;
  return FERMATA_OK;
}
static fermata_status resume(void* state, const fermata_event* event) {
  (void)state, (void)event;
  return FERMATA_OK;
}
static void finish(void* state) { (void)state; }

static const fermata_stage stage = {
    .struct_size = sizeof(fermata_stage),
    .name = TEXT("noop"),
    .config_schema = TEXT(CONFIG_SCHEMA),
    .create = create,
    .destroy = destroy,
    .start = start,
    .resume = resume,
    .finish = finish,
};
static const fermata_stage* const stages[] = {&stage};

#define PLUGIN(ID, VERSION, STAGES)                                                   \
  static const fermata_plugin plugin = {                                              \
      .struct_size = sizeof(fermata_plugin),                                          \
      .abi_major = FERMATA_ABI_MAJOR,                                                 \
      .abi_minor = FERMATA_ABI_MINOR,                                                 \
      .n_stages = STAGES,                                                             \
      .id = TEXT(ID),                                                                 \
      .version = TEXT(VERSION),                                                       \
      .stages = stages,                                                               \
      .init = INIT,                                                                   \
  };                                                                                  \
  const fermata_plugin* fermata_plugin_v1(const fermata_host* host) {                 \
    return host->abi_major == FERMATA_ABI_MAJOR ? &plugin : (const fermata_plugin*)0; \
  }

#endif  // TESTS_STAGES_BAD_PLUGIN_PARTS_H_
