"""plugin_test: a shipped plugin's .so, loaded and called the way the server does it."""

load("@rules_cc//cc:defs.bzl", "cc_test")

def plugin_test(name, deps = []):
    """Tests plugins/<name>.

    Args:
      name: the plugin's short name; the source is <name>_plugin_test.cc.
      deps: more libraries.
    """
    cc_test(
        name = name + "_plugin_test",
        size = "small",
        srcs = [name + "_plugin_test.cc"],
        data = ["//plugins/{0}:{0}.so".format(name)],
        deps = [
            "//tests/stages/testing:host_fixture",
            "@com_google_googletest//:gtest_main",
        ] + deps,
    )
