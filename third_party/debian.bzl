"""Debian's libraries under the labels of their own Bazel builds.

Each repository made here holds no source: its cc_library targets carry the flags
that pkg-config gives (headers are in /usr/include, a built-in include directory).
"""

_PUBLIC = 'package(default_visibility = ["//visibility:public"])\n'

def _pkg_config(ctx, modules):
    """Returns (defines, linkopts) of pkg-config modules; words that start with '-' are kept as they are."""
    names = [m for m in modules if not m.startswith("-")]
    flags = [m for m in modules if m.startswith("-")]
    if names:
        got = ctx.execute([ctx.which("pkg-config") or "pkg-config", "--cflags", "--libs"] + names)
        if got.return_code:
            fail("pkg-config {}: {}(run deploy/install-deps)".format(" ".join(names), got.stderr))
        flags = flags + got.stdout.strip().split(" ")
    defines = [f[2:] for f in flags if f.startswith("-D") and f != "-DNOMINMAX"]
    seen = {}
    for f in flags:
        if f.startswith("-l") or f.startswith("-L"):
            seen.pop(f, None)
            seen[f] = None  # keep the last of repeated -l flags
    links = ["-Wl,--push-state,--as-needed"] + seen.keys() + ["-Wl,--pop-state"] if seen else []
    return defines, links

def _debian_repository_impl(ctx):
    # Labels first: Bazel runs this function again from its start for each one it has to look up.
    for path, target in ctx.attr.links.items():
        target = ctx.path(Label(target) if target.startswith("//") else target)
        if not target.exists:
            fail("{} is missing: run deploy/install-deps".format(target))
        ctx.symlink(target, path)
    build = {}
    for label, modules in ctx.attr.libs.items():
        package, _, name = label.rpartition(":")
        deps = [m for m in modules if m[0] in ":@/"]
        defines, links = _pkg_config(ctx, [m for m in modules if m[0] not in ":@/"])
        build[package] = build.get(package, _PUBLIC) + """
cc_library(
    name = "{}",
    defines = {},
    linkopts = {},
    deps = {},
)
""".format(name, defines, links, deps)
    for package, text in ctx.attr.build.items():
        build[package] = build.get(package, _PUBLIC) + text
    for path, source in ctx.attr.copies.items():
        ctx.execute(["mkdir", "-p", path.rpartition("/")[0]])
        if ctx.execute(["cp", "-r", source, path]).return_code:
            fail("{} is missing: run deploy/install-deps".format(source))
    for path, edit in ctx.attr.edits.items():
        ctx.file(path, ctx.read(path).replace(edit[0], edit[1]), executable = False)
    for path, text in ctx.attr.files.items():
        ctx.file(path, text, executable = False)
    for package, text in build.items():
        ctx.file((package + "/" if package else "") + "BUILD.bazel", text, executable = False)

_debian_repository = repository_rule(
    implementation = _debian_repository_impl,
    attrs = {
        "libs": attr.string_list_dict(doc = "'package:name' to pkg-config modules, -l flags and labels"),
        "build": attr.string_dict(doc = "package to more BUILD text"),
        "links": attr.string_dict(doc = "path to the system file it links to"),
        "copies": attr.string_dict(doc = "path to the system directory it is copied from"),
        "edits": attr.string_list_dict(doc = "path of a copied file to [old text, new text]"),
        "files": attr.string_dict(doc = "path to text"),
    },
    configure = True,
    local = True,
)

def _repo(name, **kwargs):
    if name not in native.existing_rules():
        _debian_repository(name = name, **kwargs)

_ABSL = {
    "base": ["base", "core_headers"],
    "cleanup": ["cleanup"],
    "container": ["btree", "flat_hash_map", "flat_hash_set", "inlined_vector"],
    "debugging": ["stacktrace", "symbolize"],
    "functional": ["any_invocable", "bind_front", "function_ref"],
    "hash": ["hash"],
    "memory": ["memory"],
    "numeric": ["bits", "int128"],
    "random": ["bit_gen_ref", "random"],
    "status": ["status", "statusor"],
    "strings": ["strings", "str_format", "cord"],
    "synchronization": ["synchronization"],
    "time": ["time"],
    "types": ["span", "optional"],
}

# Where Debian's pkg-config module has another name than the Bazel label.
_ABSL_MODULE = {"random": "random_random", "bit_gen_ref": "random_bit_gen_ref"}

# A repository of headers outside /usr/include, and the libraries behind them.
_XML2 = """
cc_library(
    name = "libxml2",
    hdrs = glob(["include/libxml/*.h"]),
    includes = ["include"],
    linkopts = ["-Wl,--push-state,--as-needed", "-lxml2", "-Wl,--pop-state"],
)
"""

_RAPIDJSON = """
cc_library(
    name = "rapidjson",
    hdrs = glob(["include/rapidjson/**/*.h"]),
    defines = ["RAPIDJSON_HAS_STDSTRING=1"],
    includes = ["include"],
)
"""

# Debian's headers are in a folder of their own, which pkg-config names.
_LIBPQ = """
cc_library(
    name = "libpq",
    hdrs = glob(["include/*.h"]),
    includes = ["include"],
    linkopts = ["-Wl,--push-state,--as-needed", "-lpq", "-Wl,--pop-state"],
)
"""

_WKT = ["any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers", "descriptor"]

_GOOGLEAPIS = "/usr/src/bazel-bootstrap/third_party/googleapis/"
_GRPC_PROTO = "/usr/share/grpc-proto/"

# What AIP-193 asks of every error, and Debian's copy of error_details.proto is too old to have.
_ERROR_INFO = """
// Why a request failed, for programs. Unlike the code it is specific, unlike the message it is stable.
message ErrorInfo {
  // UPPER_SNAKE, unique within the domain.
  string reason = 1;
  // Who gave the reason its meaning, as in "fermata.dev".
  string domain = 2;
  // Every value that the message mentions.
  map<string, string> metadata = 3;
}
"""

_RULES_CC = """
cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
objc_library = native.objc_library
"""

_RULES_JAVA = """
java_import = native.java_import
java_library = native.java_library
java_runtime = native.java_runtime
java_toolchain = native.java_toolchain
"""

def _proto(name, src, deps = [], cc = "", grpc = False):
    cc = cc or name
    text = """
proto_library(
    name = "{name}_proto",
    srcs = ["{src}"],
    deps = {deps},
)

cc_proto_library(
    name = "{cc}_cc_proto",
    deps = [":{name}_proto"],
)
""".format(name = name, cc = cc, src = src, deps = deps)
    if grpc:
        text = 'load("@com_github_grpc_grpc//bazel:cc_grpc_library.bzl", "cc_grpc_library")\n' + text + """
cc_grpc_library(
    name = "{cc}_cc_grpc",
    srcs = [":{name}_proto"],
    grpc_only = True,
    deps = [":{cc}_cc_proto"],
)
""".format(name = name, cc = cc)
    return text

def _bazel_stubs():
    """What Bazel itself would download; only for Debian's bazel, which has no version string.

    Debian's own bazel-rules-cc (0.0.4) is too new for its bazel 4.2.3.
    """
    _repo(
        name = "rules_cc",
        build = {"": "", "cc": 'exports_files(["defs.bzl"])\n'},
        files = {"cc/defs.bzl": _RULES_CC},
    )
    _repo(
        name = "rules_java",
        build = {"": "", "java": 'exports_files(["defs.bzl"])\n'},
        files = {"java/defs.bzl": _RULES_JAVA},
    )

    _repo(
        name = "remote_coverage_tools",
        links = {"lcov_merger.py": "//third_party:lcov_merger.py"},
        build = {"": 'filegroup(name = "coverage_report_generator")\nsh_binary(name = "lcov_merger", srcs = ["lcov_merger.py"])\n'},
    )

def debian_repositories():
    """Declares every third-party repository that is not declared yet."""

    if not native.bazel_version:
        _bazel_stubs()

    _repo(
        name = "com_google_absl",
        libs = {
            "absl/{}:{}".format(package, name): ["absl_" + _ABSL_MODULE.get(name, name)]
            for package, names in _ABSL.items()
            for name in names
        },
    )
    _repo(
        name = "com_google_googletest",
        libs = {":gtest": ["gmock", "gtest"], ":gtest_main": ["gmock", "gtest_main"]},
    )
    _repo(
        name = "com_github_google_benchmark",
        libs = {":benchmark": ["benchmark"], ":benchmark_main": ["-lbenchmark_main", ":benchmark"]},
    )
    _repo(
        name = "com_github_cliutils_cli11",
        libs = {":cli11": ["CLI11"]},
    )
    _repo(
        name = "com_github_gabime_spdlog",
        libs = {":spdlog": ["spdlog"]},
    )
    _repo(
        name = "com_github_tencent_rapidjson",
        copies = {"include/rapidjson": "/usr/include/rapidjson"},
        # 1.1.0 assigns to a const member in an operator nobody calls; clang 19 refuses to compile it.
        edits = {
            "include/rapidjson/document.h": [
                "{ s = rhs.s; length = rhs.length; }",
                "= delete;",
            ],
            # Adds to a null pointer while the stack is empty, which UBSan reports.
            "include/rapidjson/internal/stack.h": [
                "if (RAPIDJSON_UNLIKELY(stackTop_ + sizeof(T) * count > stackEnd_))",
                "if (RAPIDJSON_UNLIKELY(static_cast<std::ptrdiff_t>(sizeof(T) * count) > stackEnd_ - stackTop_))",
            ],
        },
        build = {"": _RAPIDJSON},
    )
    _repo(
        name = "com_github_axboe_liburing",
        libs = {":liburing": ["liburing"]},
    )
    _repo(
        name = "com_googlesource_code_re2",
        libs = {":re2": ["re2"]},
    )
    _repo(
        name = "com_github_c_ares_c_ares",
        libs = {":ares": ["libcares"]},
    )
    _repo(
        name = "com_github_curl_curl",
        libs = {":curl": ["libcurl"]},
    )
    _repo(
        name = "com_github_jqlang_jq",
        libs = {":jq": ["-ljq"]},
    )
    _repo(
        name = "com_github_redis_hiredis",
        libs = {":hiredis": ["-lhiredis"]},
    )
    _repo(
        name = "org_postgresql",
        links = {"include": "/usr/include/postgresql"},
        build = {"": _LIBPQ},
    )
    _repo(
        name = "org_sqlite",
        libs = {":sqlite3": ["sqlite3"]},
    )
    _repo(
        name = "zlib",
        libs = {":zlib": ["zlib"]},
    )
    _repo(
        name = "openssl",
        libs = {":crypto": ["libcrypto"]},
    )
    _repo(
        name = "com_github_gnome_libxml2",
        links = {"include": "/usr/include/libxml2"},
        build = {"": _XML2},
    )
    _repo(
        name = "com_github_jbeder_yaml_cpp",
        libs = {":yaml-cpp": ["yaml-cpp"]},
    )
    _repo(
        name = "com_github_jupp0r_prometheus_cpp",
        libs = {
            "core:core": ["prometheus-cpp-core"],
            "pull:pull": ["prometheus-cpp-pull"],
        },
    )
    _repo(
        name = "com_google_protobuf",
        libs = {":protobuf": ["protobuf"]},
        links = dict(
            [("google/protobuf/{}.proto".format(p), "/usr/include/google/protobuf/{}.proto".format(p)) for p in _WKT],
            protoc = "/usr/bin/protoc",
        ),
        files = {
            "bazel/cc_proto_library.bzl": "cc_proto_library = native.cc_proto_library\n",
            "bazel/proto_library.bzl": "proto_library = native.proto_library\n",
        },
        build = {"bazel": "", "": 'exports_files(["protoc"])\n' + "".join(['proto_library(name = "{0}_proto", srcs = ["google/protobuf/{0}.proto"])\n'.format(p) for p in _WKT]) + """
proto_lang_toolchain(
    name = "cc_toolchain",
    blacklisted_protos = {},
    command_line = "--cpp_out=$(OUT)",
    runtime = ":protobuf",
)
""".format([":{}_proto".format(p) for p in _WKT])},
    )
    _repo(
        name = "com_github_grpc_grpc",
        libs = {
            ":grpc++": ["grpc++", "@com_google_protobuf//:protobuf"],
            # For plugins: Protobuf has one registry in a process, and that is the server's.
            ":grpc++_without_protobuf": ["-lgrpc++", "-lgrpc", "-lgpr"],
            ":grpc++_reflection": ["-lgrpc++_reflection", ":grpc++"],
        },
        links = {
            "src/compiler/grpc_cpp_plugin": "/usr/bin/grpc_cpp_plugin",
            "src/proto/grpc/health/v1/health.proto": _GRPC_PROTO + "grpc/health/v1/health.proto",
            "bazel/cc_grpc_library.bzl": "//third_party:cc_grpc_library.bzl",
        },
        build = {
            "bazel": "",
            "src/compiler": 'exports_files(["grpc_cpp_plugin"])\n',
            "src/proto/grpc/health/v1": _proto("health", "health.proto", grpc = True),
        },
    )
    _repo(
        name = "com_google_googleapis",
        links = {
            path: _GOOGLEAPIS + path
            for path in [
                "google/api/annotations.proto",
                "google/api/http.proto",
                "google/longrunning/operations.proto",
                "google/rpc/code.proto",
                "google/rpc/status.proto",
            ]
        },
        copies = {"google/rpc/error_details.proto": _GOOGLEAPIS + "google/rpc/error_details.proto"},
        edits = {"google/rpc/error_details.proto": [
            "import \"google/protobuf/duration.proto\";\n",
            "import \"google/protobuf/duration.proto\";\n" + _ERROR_INFO,
        ]},
        build = {
            "google/api": _proto("http", "http.proto") +
                          _proto("annotations", "annotations.proto", [":http_proto", "@com_google_protobuf//:descriptor_proto"]),
            "google/rpc": _proto("code", "code.proto") +
                          _proto("status", "status.proto", ["@com_google_protobuf//:any_proto"]) +
                          _proto("error_details", "error_details.proto", ["@com_google_protobuf//:duration_proto"]),
            "google/longrunning": _proto("operations", "operations.proto", [
                "//google/api:annotations_proto",
                "//google/rpc:status_proto",
                "@com_google_protobuf//:any_proto",
                "@com_google_protobuf//:empty_proto",
            ], cc = "longrunning", grpc = True),
        },
    )
