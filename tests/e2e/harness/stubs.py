"""Python stubs of proto/, made by protoc at import time, as any client would make them."""
import atexit
import os
import shutil
import subprocess
import sys
import tempfile

from harness.build import built

FILES = ["fermata/v1/jobs.proto", "fermata/v1/pipelines.proto", "fermata/v1/plugins.proto"]


def _generate():
    out = tempfile.mkdtemp(prefix="fermata-stubs-")
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    root = os.path.dirname(os.path.dirname(os.path.dirname(built("proto/fermata/v1/jobs.proto"))))
    here = os.path.dirname(built("tests/e2e/harness/error_details.proto"))
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", root, "-I", here, "--python_out", out,
         "--grpc_python_out", out] + FILES + ["error_details.proto"], check=True)
    sys.path.insert(0, out)


_generate()
# pylint: disable=wrong-import-position
import error_details_pb2  # noqa: E402
from fermata.v1 import jobs_pb2, jobs_pb2_grpc  # noqa: E402
from fermata.v1 import pipelines_pb2, pipelines_pb2_grpc  # noqa: E402
from fermata.v1 import plugins_pb2, plugins_pb2_grpc  # noqa: E402

__all__ = [
    "details_of", "jobs_pb2", "jobs_pb2_grpc", "pipelines_pb2", "pipelines_pb2_grpc", "plugins_pb2",
    "plugins_pb2_grpc",
]


def details_of(rpc_error):
    """The google.rpc details of an error, by message name: {"ErrorInfo": ..., "RetryInfo": ...}."""
    details = {}
    for key, value in rpc_error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for packed in error_details_pb2.Status.FromString(value).details:
            name = packed.type_url.rpartition(".")[2]
            details[name] = getattr(error_details_pb2, name).FromString(packed.value)
    return details
