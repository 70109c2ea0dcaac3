"""Fuzz targets: one source, a test in every configuration and a libFuzzer program in one."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")

def fuzz_target(name, deps = [], runs = 3000):
    """Builds NAME_fuzz.cc twice.

    NAME_test replays corpus/NAME and `runs` mutations drawn from a fixed seed; it runs everywhere.
    NAME_fuzz is for tests/fuzz/run, which builds it with --config=fuzz.

    Args:
      name: of the target; its source is NAME_fuzz.cc, its corpus the folder corpus/NAME.
      deps: of the source, besides what fuzz.h needs.
      runs: how many mutations the test tries; a matter of seconds.
    """
    deps = deps + ["//services/config:text"]
    corpus = native.glob(["corpus/%s/**" % name])
    if not corpus:
        fail("%s has no corpus: put at least one input into corpus/%s" % (name, name))
    cc_test(
        name = name + "_test",
        size = "small",
        srcs = [
            name + "_fuzz.cc",
            "fuzz.h",
            "replay_main.cc",
        ],
        args = ["--runs=%d" % runs] + ["$(location %s)" % file for file in corpus],
        data = corpus,
        deps = deps + ["//services/async"],
    )
    cc_binary(
        name = name + "_fuzz",
        testonly = True,
        srcs = [
            name + "_fuzz.cc",
            "fuzz.h",
        ],
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = deps,
    )
