"""What the end-to-end tests share: a real fermatad, web servers to fetch from, stubs, reports."""
from harness.build import built
from harness.daemon import Daemon
from harness.junit import main
from harness.stubs import details_of, jobs_pb2, pipelines_pb2, plugins_pb2
from harness.web import WebServer

__all__ = [
    "Daemon", "WebServer", "built", "details_of", "jobs_pb2", "main", "pipelines_pb2", "plugins_pb2",
]
