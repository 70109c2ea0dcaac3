"""e2e_test: a Python script against the real programs."""

_PROGRAMS = [
    "//services/cli:fermata",
    "//services/fermatad",
    "//services/plugin_host:fermata-plugin-host",
] + ["//plugins/{0}:{0}.so".format(name) for name in ("file", "html", "http", "json", "time")]

_PROTOS = ["//proto:fermata/v1/{}.proto".format(name) for name in ("jobs", "pipelines", "plugins")]

def e2e_test(name, data = [], size = "medium", **kwargs):
    """Runs `<name>.py` with Debian's Python, which has grpcio.

    Args:
      name: the script without its ending.
      data: what it needs besides the programs, the protos and the harness.
      size: of sh_test.
      **kwargs: of sh_test.
    """
    native.sh_test(
        name = name,
        size = size,
        srcs = ["//tests/e2e:run_python.sh"],
        args = ["{}/{}.py".format(native.package_name(), name)],
        data = data + _PROGRAMS + _PROTOS + [
            name + ".py",
            "//tests/e2e:harness",
        ],
        # gRPC is not instrumented for the thread sanitizer.
        tags = ["no_tsan"],
        **kwargs
    )
