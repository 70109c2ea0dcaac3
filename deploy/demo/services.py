"""Starts and stops what the quickstart needs, all of it in one temporary folder on free ports."""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

HOUSE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLUGINS = ["http", "html", "json", "time", "file"]
START_SECONDS = 30
STOP_SECONDS = 40

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
{user}
events {{ worker_connections 1024; }}
http {{
  include /etc/nginx/mime.types;
  access_log off;
  keepalive_requests 10000;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location /doc/ {{ alias /usr/share/doc/; }}
    location /extra/ {{ alias {extra}/; }}
    location /busy/ {{ return 503; }}
  }}
}}
"""

CONFIG = """
listen: "127.0.0.1:0"
metrics: "127.0.0.1:0"
plugins: {{ folder: plugins, config: {{ file: {{ root: "{folder}/files" }} }} }}
pipelines: {{ folder: "{house}/deploy/pipelines" }}
log: {{ level: warning }}
"""


class Failed(Exception):
    """Something that a person has to look at; the text says what."""


def _die_with_parent():
    """So that even a killed quickstart leaves nothing behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def built(path):
    return os.path.join(os.environ["FERMATA_BUILD"], path)


class Stack:
    """with Stack() as stack: start what is needed; leaving it stops all, unless `keep`."""

    def __init__(self, keep):
        self.keep = keep
        self.processes = {}
        self.folder = None
        self.address = None
        self.metrics_url = None
        self.web = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="fermata-quickstart-")
        return self

    def __exit__(self, kind, *_):
        if self.keep and kind is None:
            return
        self.stop()

    def stop(self):
        # fermatad first: it ends its jobs while what they fetch from is still there.
        for name in ("fermatad", "nginx"):
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                continue
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, name, command, **kwargs):
        # A session of its own: Ctrl-C at the terminal is for the quickstart, which stops the rest.
        self.processes[name] = subprocess.Popen(
            command, start_new_session=True, stdin=subprocess.DEVNULL,
            preexec_fn=None if self.keep else _die_with_parent, **kwargs)
        return self.processes[name]

    def _log_of(self, name):
        try:
            with open(os.path.join(self.folder, name + ".log"), encoding="utf-8") as log:
                return log.read().strip()
        except OSError:
            return ""

    def start_web(self, pages):
        """nginx over /usr/share/doc (and what pages.py unpacked); the URL it is at."""
        extra = next((page.file[:-len(page.path) + len("/extra")] for page in pages
                      if page.path.startswith("/extra/")), self.folder)
        for _ in range(5):  # somebody else may take the port between choosing and listening
            port = _free_port()
            config = os.path.join(self.folder, "nginx.conf")
            with open(config, "w", encoding="utf-8") as out:
                out.write(NGINX.format(folder=self.folder, port=port, extra=extra,
                                       user="user root;" if os.getuid() == 0 else ""))
            process = self._spawn("nginx", ["/usr/sbin/nginx", "-p", self.folder, "-c", config],
                                  stderr=subprocess.DEVNULL)
            self.web = "http://127.0.0.1:%d" % port
            if self._answers(process, self.web + "/busy/"):
                return self.web
            process.kill()
            process.wait()
        raise Failed("nginx did not start:\n" + self._log_of("nginx"))

    @staticmethod
    def _answers(process, url):
        until = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < until:
            try:
                urllib.request.urlopen(url, timeout=5)
                return True
            except urllib.error.HTTPError:
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def start_fermatad(self):
        plugins = os.path.join(self.folder, "plugins")
        os.makedirs(plugins)
        os.makedirs(os.path.join(self.folder, "files"))
        for name in PLUGINS:
            shutil.copy(built("plugins/%s/%s.so" % (name, name)), plugins)
            os.chmod(os.path.join(plugins, name + ".so"), 0o644)
        config = os.path.join(self.folder, "fermata.yaml")
        with open(config, "w", encoding="utf-8") as out:
            out.write(CONFIG.format(folder=self.folder, house=HOUSE))
        with open(os.path.join(self.folder, "fermatad.log"), "w", encoding="utf-8") as log:
            process = self._spawn("fermatad", [built("services/fermatad/fermatad"), "--config", config],
                                  stdout=subprocess.PIPE, stderr=log, text=True)
        killer = threading.Timer(START_SECONDS, process.kill)
        killer.start()
        greeting = process.stdout.readline()
        killer.cancel()
        found = re.search(r"gRPC on (\S+?),.*metrics on (http://\S+?),", greeting)
        if not found:
            process.wait()
            raise Failed("fermatad did not start:\n%s%s" % (greeting, self._log_of("fermatad")))
        self.address, self.metrics_url = found.groups()

    def metrics(self):
        with urllib.request.urlopen(self.metrics_url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        samples = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def run_job(self, pipeline, data):
        """Submits over gRPC with the command line, which shows the progress; the finished job."""
        file = os.path.join(self.folder, "input.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump(data, out)
        sys.stdout.flush()
        client = subprocess.Popen(
            [built("services/cli/fermata"), "--server", self.address, "--json", "run", pipeline,
             "--input", "@" + file], stdout=subprocess.PIPE, text=True)
        try:
            text = client.communicate()[0]
        except KeyboardInterrupt:
            # The terminal told the client too: it cancels the job, which is worth waiting for.
            client.wait()
            raise
        if client.returncode == 130:
            raise KeyboardInterrupt
        try:
            job = json.loads(text)
            return job if "state" in job else self._no_job(text)
        except ValueError:
            return self._no_job(text)

    def _no_job(self, text):
        raise Failed("the job was not run: %s\n%s" % (text.strip(), self._log_of("fermatad")))

    def where(self):
        pids = " ".join(str(process.pid) for process in self.processes.values())
        lines = [
            "", "left running:",
            "  gRPC     %s    fermata --server %s list" % (self.address, self.address),
            "  metrics  %s" % self.metrics_url,
        ]
        if self.web:
            lines.append("  web      %s" % self.web)
        return "\n".join(lines + [
            "  fermata  %s" % built("services/cli/fermata"),
            "  folder   %s    logs and configuration" % self.folder,
            "stop it with:",
            "  kill %s; rm -r %s" % (pids, self.folder),
        ])
