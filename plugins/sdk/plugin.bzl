"""fermata_plugin: one stage plugin, `<name>.so`. stage_options: the part that reads what its user wrote.

The link flags close failures that were reproduced (plugins/abi/README.md): without the version script two versions of a
plugin share inline variables, without -z defs a missing symbol shows up only on the server.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library")

_MAP = "//plugins/sdk:plugin.map"

# A sanitizer's runtime lives in the program that loads the plugin, so its symbols are undefined here. One select each:
# several sanitizers may be on at once.
_SANITIZERS = ["//plugins/sdk:asan", "//plugins/sdk:ubsan", "//plugins/sdk:tsan"]

def _undefined_symbols():
    flags = ["-Wl,-z,defs"]
    for sanitizer in _SANITIZERS:
        flags = flags + select({sanitizer: ["-Wl,-z,undefs"], "//conditions:default": []})
    return flags

def fermata_plugin(name, srcs, deps = [], linkopts = [], sdk = True, **kwargs):
    """Builds `<name>.so`.

    Args:
      name: the plugin's short name.
      srcs: its sources; plain C works too.
      deps: its libraries, linked statically unless they come from the system.
      linkopts: more link flags.
      sdk: False leaves the C++ SDK out; the plugin then speaks the C ABI itself.
      **kwargs: of cc_binary.
    """
    cc_binary(
        name = name + ".so",
        srcs = srcs,
        additional_linker_inputs = [_MAP],
        linkopts = [
            "-Wl,--version-script=$(location {})".format(_MAP),
            "-Wl,-z,now",
            "-Wl,-z,noexecstack",
        ] + _undefined_symbols() + linkopts,
        linkshared = True,
        deps = deps + (["//plugins/sdk"] if sdk else ["//plugins/abi:fermata_abi"]),
        **kwargs
    )

def stage_options(deps = []):
    """The library `options`: options.h and options.cc, a stage's configuration and input as structs.

    Args:
      deps: what it needs beyond the SDK's fields, text, statuses and times.
    """
    cc_library(
        name = "options",
        srcs = ["options.cc"],
        hdrs = ["options.h"],
        deps = [
            "//plugins/sdk:fields",
            "//services/config:text",
            "@com_google_absl//absl/status:statusor",
            "@com_google_absl//absl/time",
        ] + deps,
    )
