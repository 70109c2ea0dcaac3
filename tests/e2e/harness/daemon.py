"""A real fermatad on free ports, with its own plugin folder, pipelines and configuration."""
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.request

import grpc

from harness.build import built
from harness.stubs import jobs_pb2_grpc, pipelines_pb2_grpc, plugins_pb2_grpc

PLUGINS = ["http", "html", "json", "time", "file"]
START_SECONDS = 60


def _many_descriptors():
    """A thousand clients and their connections need more than the usual soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Daemon:
    """with Daemon(pipelines={"name": yaml}) as daemon: daemon.jobs.Run(...)"""

    def __init__(self, pipelines=None, plugins=None, plugin_files=None, config="", plugin_config="",
                 stage_config="", files=None, descriptors=None, environment=None):
        """`files` are {name: text} beside fermata.yaml, mode 0600; `descriptors` a soft and hard limit."""
        self.descriptors = descriptors
        self.environment = dict(os.environ, **(environment or {}))
        self.folder = tempfile.mkdtemp(prefix="fermata-e2e-")
        self.plugin_folder = os.path.join(self.folder, "plugins")
        self.pipeline_folder = os.path.join(self.folder, "pipelines")
        self.file_root = os.path.join(self.folder, "files")
        for folder in (self.plugin_folder, self.pipeline_folder, self.file_root):
            os.mkdir(folder)
        for name in PLUGINS if plugins is None else plugins:
            shutil.copy(built("plugins/%s/%s.so" % (name, name)), self.plugin_folder)
        for name, data in (plugin_files or {}).items():
            with open(os.path.join(self.plugin_folder, name), "wb") as out:
                out.write(data)
        for name in os.listdir(self.plugin_folder):
            os.chmod(os.path.join(self.plugin_folder, name), 0o644)
        for name, text in (pipelines or {}).items():
            with open(os.path.join(self.pipeline_folder, name + ".yaml"), "w", encoding="utf-8") as out:
                out.write(text)
        for name, text in (files or {}).items():
            self.write(name, text)
        self.config_file = os.path.join(self.folder, "fermata.yaml")
        with open(self.config_file, "w", encoding="utf-8") as out:
            out.write('listen: "127.0.0.1:0"\nmetrics: "127.0.0.1:0"\n'
                      "plugins:\n  folder: plugins\n%s  config:\n    file: { root: %s }\n%s"
                      "pipelines: { folder: pipelines }\n%s"
                      % (plugin_config, self.file_root, stage_config, config))
        self.process = None
        self.log = ""
        self._logged = threading.Condition()
        self.address = None
        self.metrics_url = None

    def write(self, name, text, mode=0o600):
        """A file beside fermata.yaml, exchanged whole."""
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as out:
            out.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def _limits(self):
        # A program that sets them, and no code between fork and exec: gRPC's threads may hold its locks there.
        most = self.descriptors or _many_descriptors()
        return ["/usr/bin/prlimit", "--nofile=%d:%d" % (most, most)]

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        self.process = subprocess.Popen(
            [*self._limits(), built("services/fermatad/fermatad"), "--config", self.config_file],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", env=self.environment)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        killer = threading.Timer(START_SECONDS, self.process.kill)
        killer.start()
        greeting = self.process.stdout.readline()
        killer.cancel()
        found = re.search(r"gRPC on (\S+?),.*metrics on (http://\S+?),", greeting)
        if not found:
            self.process.wait()
            self._reader.join()
            raise AssertionError("fermatad did not start: %r\n%s" % (greeting, self.log))
        self.greeting = greeting
        self.address, self.metrics_url = found.groups()
        self.channel = grpc.insecure_channel(self.address, options=[
            ("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)])
        self.jobs = jobs_pb2_grpc.JobsStub(self.channel)
        self.pipelines = pipelines_pb2_grpc.PipelinesStub(self.channel)
        self.plugins = plugins_pb2_grpc.PluginsStub(self.channel)

    def _read_log(self):
        for line in self.process.stderr:
            with self._logged:
                self.log += line
                self._logged.notify_all()

    def wait_for_log(self, text, seconds=60):
        """Until the log has it."""
        with self._logged:
            if not self._logged.wait_for(lambda: text in self.log, timeout=seconds):
                raise AssertionError("the log never said %r:\n%s" % (text, self.log))

    def metrics(self):
        """{family or sample with labels: value} of one scrape."""
        with urllib.request.urlopen(self.metrics_url, timeout=10) as answer:
            text = answer.read().decode()
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in lines)}

    def signal(self, number):
        self.process.send_signal(number)

    def keep_address(self):
        """Later starts bind what this one was given, so that clients find them."""
        with open(self.config_file, encoding="utf-8") as file:
            text = file.read().replace('listen: "127.0.0.1:0"', 'listen: "%s"' % self.address)
        with open(self.config_file, "w", encoding="utf-8") as file:
            file.write(text)

    def kill(self):
        """kill -9, until nothing of it is left; start() makes another on the same folder."""
        self.channel.close()
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def stop(self, seconds=60):
        """SIGTERM, and the exit code once it has ended."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=seconds)
        self._reader.join()
        return code

    def close(self):
        if self.process is not None and self.process.poll() is None:
            try:
                code = self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("fermatad did not stop on SIGTERM:\n" + self.log) from None
            finally:
                shutil.rmtree(self.folder, ignore_errors=True)
            if code != 0:
                raise AssertionError("fermatad ended with %s:\n%s" % (code, self.log))
        shutil.rmtree(self.folder, ignore_errors=True)
