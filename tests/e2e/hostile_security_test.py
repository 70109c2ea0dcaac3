"""Clients that mean harm, or do it by their number; and what keeps them out. The same process serves on."""
import json
import os
import re
import resource
import socket
import subprocess
import tempfile
import unittest

import grpc

from harness import Daemon, built, details_of, jobs_pb2, main, plugins_pb2
from harness.stubs import jobs_pb2_grpc

SECRET = "s3cr3t-of-the-house-that-nobody-sees"
BIG = """
pipeline: big
input: { type: object }
stages: { one: { use: time/delay, with: { for: 0s, value: "${/input}" } } }
"""


def fermata(*arguments, **environment):
    return subprocess.run([built("services/cli/fermata"), *arguments], capture_output=True, text=True,
                          env=dict(os.environ, **environment), timeout=60)


def new_token(principal, grants, **more):
    """(token, entry of the tokens file)"""
    made = json.loads(fermata("--json", "token", "new", "--principal", principal).stdout)
    lines = ["  - id: '%s'" % made["id"], "    sha256: '%s'" % made["sha256"],
             "    principal: %s" % principal, "    grants: [%s]" % grants]
    lines += ["    %s: '%s'" % item for item in more.items()]
    return made["token"], "\n".join(lines) + "\n"


def noop(daemon, timeout=30):
    return daemon.jobs.Run(jobs_pb2.RunJobRequest(
        job=jobs_pb2.Job(stage="time/delay", input=b'{"for":"0s","value":7}')), timeout=timeout)


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


class Storms(unittest.TestCase):
    def connect(self, daemon):
        host, port = daemon.address.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=30)

    def test_more_connections_than_descriptors_and_then_room_again(self):
        with Daemon(descriptors=300) as daemon:
            self.assertEqual(noop(daemon).result, b"7")
            storm = [self.connect(daemon) for _ in range(600)]
            while daemon.metrics()["fermata_connections_turned_away_total"] == 0:
                storm.append(self.connect(daemon))
            numbers = daemon.metrics()  # which needs a descriptor of its own
            self.assertLessEqual(numbers["process_open_fds"], 300 * 0.8)
            self.assertEqual(noop(daemon).result, b"7")
            for client in storm:
                client.close()
            # A new client, as soon as the server has seen the others leave.
            while True:
                with grpc.insecure_channel(daemon.address) as channel:
                    if code_of(lambda: jobs_pb2_grpc.JobsStub(channel).List(
                            jobs_pb2.ListJobsRequest(), timeout=30)) == grpc.StatusCode.OK:
                        break

    def test_the_soft_limit_on_descriptors_is_raised_to_the_hard_one(self):
        with Daemon() as daemon:
            soft, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
            self.assertEqual(soft, hard)

    def test_who_says_nothing_is_hung_up_on(self):
        with Daemon(config="connections: { handshake: 300ms }\n") as daemon:
            with self.connect(daemon) as silent:
                silent.settimeout(30)
                try:
                    while silent.recv(4096):  # the server's settings, and then the end
                        pass
                except ConnectionError:
                    pass
            self.assertEqual(noop(daemon).result, b"7")

    def test_a_thousand_clients_at_once_are_served_or_told_to_come_again(self):
        with Daemon(config="limits: { calls: 100 }\n") as daemon:
            channels = [grpc.insecure_channel(daemon.address, options=[
                ("grpc.use_local_subchannel_pool", 1)]) for _ in range(50)]
            request = jobs_pb2.RunJobRequest(
                job=jobs_pb2.Job(stage="time/delay", input=b'{"for":"50ms","value":7}'))
            calls = [jobs_pb2_grpc.JobsStub(channel).Run.future(request, timeout=60)
                     for channel in channels for _ in range(20)]
            served = refused = 0
            for call in calls:
                error = call.exception()
                if error is None:
                    served += 1
                    continue
                self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED, error.details())
                self.assertEqual(details_of(error)["ErrorInfo"].reason, "TOO_MANY_CALLS")
                self.assertGreater(details_of(error)["RetryInfo"].retry_delay.ToNanoseconds(), 0)
                refused += 1
            self.assertEqual(served + refused, 1000)
            self.assertGreaterEqual(served, 100)
            self.assertEqual(
                daemon.metrics()['fermata_rpc_refused_total{reason="overload"}'], refused)
            self.assertEqual(noop(daemon).result, b"7")
            for channel in channels:
                channel.close()

    def test_readers_who_do_not_read_cost_a_bounded_amount(self):
        with Daemon(pipelines={"big": BIG},
                    config="limits: { call_bytes: 16MiB, transport_bytes: 64MiB }\n") as daemon:
            big = json.dumps({"x": "y" * 3_000_000}).encode()
            name = daemon.jobs.Run(jobs_pb2.RunJobRequest(
                job=jobs_pb2.Job(pipeline="big", input=big))).name
            before = daemon.metrics()["process_resident_memory_bytes"]
            request = jobs_pb2.GetJobRequest(name=name).SerializeToString()
            stalled = [StalledReader(daemon.address, "/fermata.v1.Jobs/Get", request)
                       for _ in range(40)]
            # Each of them has asked, and takes nothing: five answers fit into the limit and wait.
            while daemon.metrics()["fermata_rpc_held_bytes"] < 15_000_000:
                pass
            numbers = daemon.metrics()
            self.assertLess(numbers["fermata_rpc_held_bytes"], 24 << 20)
            self.assertLess(numbers["process_resident_memory_bytes"] - before, 200e6)
            refused = code_of(lambda: daemon.jobs.Get(jobs_pb2.GetJobRequest(name=name)))
            self.assertEqual(refused, grpc.StatusCode.RESOURCE_EXHAUSTED)
            for client in stalled:
                client.close()
            while daemon.metrics()["fermata_rpc_held_bytes"] > 0:
                pass
            self.assertEqual(noop(daemon).result, b"7")


class StalledReader:
    """One HTTP/2 call by hand, with a window of nothing: the answer's first byte never leaves."""

    def __init__(self, address, path, message):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        headers = b"".join(b"\x00" + bytes([len(k)]) + k + bytes([len(v)]) + v for k, v in (
            (b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()),
            (b":authority", b"x"), (b"te", b"trailers"), (b"content-type", b"application/grpc")))
        data = b"\x00" + len(message).to_bytes(4, "big") + message
        self.socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
            self.frame(4, 0, 0, b"\x00\x04" + (0).to_bytes(4, "big")) +  # initial window: 0
            self.frame(1, 4, 1, headers) + self.frame(0, 1, 1, data))

    @staticmethod
    def frame(kind, flags, stream, body):
        return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body

    def close(self):
        self.socket.close()


class Callers(unittest.TestCase):
    """Tokens, the audit and the command line, against one daemon."""

    @classmethod
    def setUpClass(cls):
        cls.token, entry = new_token(
            "team-a", '{ allow: [submit, read, cancel, delete], queues: [a] }, { allow: [catalog] }')
        cls.daemon = Daemon(
            config="auth: { tokens_file: tokens.yaml }\naudit: { to: audit.log }\n",
            files={"tokens.yaml": "tokens:\n" + entry}).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def cli(self, *arguments, token=None):
        return fermata("--server", self.daemon.address, *arguments, FERMATA_TOKEN=token or "")

    def audit(self, wanted):
        """The first line that has all of `wanted`, once it is there."""
        while True:
            with open(os.path.join(self.daemon.folder, "audit.log"), encoding="utf-8") as file:
                for line in file:
                    if not line.endswith("\n"):
                        continue
                    got = json.loads(line)
                    if wanted.items() <= got.items():
                        return got

    def test_the_command_line_sends_its_token(self):
        bad = self.cli("plugins")
        self.assertEqual(bad.returncode, 5, bad.stderr)
        self.assertIn("CREDENTIALS_MISSING", bad.stderr)
        good = self.cli("plugins", token=self.token)
        self.assertEqual(good.returncode, 0, good.stderr)
        path = self.daemon.write("token", self.token + "\n")
        good = self.cli("--token-file", path, "run", "time/delay", "--queue", "a", "--set", "for=0s")
        self.assertEqual(good.returncode, 0, good.stderr)
        denied = self.cli("submit", "time/delay", "--set", "for=0s", token=self.token)
        self.assertEqual(denied.returncode, 5, denied.stderr)
        self.assertIn("'default'", denied.stderr)

    def test_the_audit_says_who_did_what_and_no_payload_or_token(self):
        name = self.cli("submit", "time/delay", "--queue", "a", "--label", "l=label-value",
                        "--set", "for=1h", "--set", "value=payload-text",
                        token=self.token).stdout.strip()
        self.cli("cancel", name, token=self.token)
        who = {"principal": "team-a", "resource": name, "outcome": "OK"}
        line = self.audit(dict(who, method="Jobs.Submit"))
        self.assertEqual((line["queue"], line["work"]), ("a", "time/delay"))
        self.assertTrue(line["credential"].startswith("token "))
        self.assertRegex(line["peer"], r"^ipv4:127\.0\.0\.1:\d+$")
        self.audit(dict(who, method="Jobs.Cancel"))
        with open(os.path.join(self.daemon.folder, "audit.log"), encoding="utf-8") as file:
            text = file.read()
        for hidden in (self.token, self.token[-64:], "payload-text", "label-value"):
            self.assertNotIn(hidden, text)

    def test_a_flood_of_bad_tokens_is_cheap_and_does_not_fill_the_disk(self):
        call = self.daemon.channel.unary_unary("/fermata.v1.Jobs/List")
        metadata = (("authorization", 'Bearer x"}{"principal":"admin'),)
        futures = [call.future(b"", metadata=metadata, timeout=60) for _ in range(3000)]
        for future in futures:
            self.assertEqual(future.exception().code(), grpc.StatusCode.UNAUTHENTICATED)
        self.audit({"outcome": "UNAUTHENTICATED", "reason": "CREDENTIALS_INVALID"})
        size = os.path.getsize(os.path.join(self.daemon.folder, "audit.log"))
        self.assertLess(size, 1_000_000)
        numbers = self.daemon.metrics()
        self.assertGreaterEqual(
            numbers['fermata_rpc_refused_total{reason="unauthenticated"}'], 3000)
        self.assertEqual(self.cli("plugins", token=self.token).returncode, 0)


class Configuration(unittest.TestCase):
    def check(self, text, **environment):
        """What fermatad --check says of this configuration, and its exit code."""
        with open(os.path.join(self.folder, "fermata.yaml"), "w", encoding="utf-8") as file:
            file.write(text)
        got = subprocess.run(
            [built("services/fermatad/fermatad"), "--config", file.name, "--check"], text=True,
            capture_output=True, timeout=60, env=dict(os.environ, **environment))
        return got.returncode, got.stdout + got.stderr

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="fermata-e2e-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def test_a_public_address_without_a_check_of_who_calls_is_refused(self):
        code, said = self.check("listen: 0.0.0.0:0\n")
        self.assertEqual(code, 2)
        self.assertRegex(said, r"fermata\.yaml:1:9: listen, expected an address that only this machine")
        self.assertIn("allow_insecure_public: true", said)
        self.assertEqual(self.check("listen: 0.0.0.0:0\nallow_insecure_public: true\n")[0], 0)

    def test_what_is_wrong_with_a_file_is_said_before_anything_is_served(self):
        code, said = self.check("auth: { tokens_file: nowhere.yaml }\n")
        self.assertEqual(code, 1)
        self.assertIn(os.path.join(self.folder, "nowhere.yaml") + ": expected a file", said)
        code, said = self.check("tls: { certificate: c.pem, key: c.key }\n")
        self.assertEqual(code, 1)
        self.assertIn(os.path.join(self.folder, "c.pem"), said)

    def test_a_secret_reaches_its_plugin_and_nothing_else(self):
        with Daemon(plugins=["time"], environment={"HOUSE_SECRET": SECRET}, stage_config=(
                '    time: { wrong: "${env:HOUSE_SECRET}" }\n')) as daemon:
            listed = daemon.plugins.List(plugins_pb2.ListPluginsRequest())
            refusals = [plugin.refusal for plugin in listed.plugins]
            self.assertTrue(all(SECRET[:12] not in text for text in refusals), refusals)
            daemon.stop()
            self.assertNotIn(SECRET[:12], daemon.log)
        code, said = self.check(
            "limits: { jobs: \"${env:HOUSE_SECRET}\" }\nlog: { level: \"${env:HOUSE_SECRET}\" }\n",
            HOUSE_SECRET=SECRET)
        self.assertEqual(code, 2)
        self.assertIn("got a secret", said)
        self.assertNotIn(SECRET[:12], said)


class Tls(unittest.TestCase):
    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, authority, subject):
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                     "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + subject)
        with open(os.path.join(self.folder, "ext"), "w", encoding="utf-8") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", authority + ".pem", "-CAkey",
                     authority + ".key", "-CAcreateserial", "-days", "1", "-extfile", "ext",
                     "-out", name + ".pem")

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return file.read()

    def test_the_command_line_with_its_own_certificate(self):
        holder = tempfile.TemporaryDirectory(prefix="fermata-e2e-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                     "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "1", "-subj", "/CN=ca")
        self.issue("server", "ca", "server")
        self.issue("client", "ca", "ops")
        os.chmod(os.path.join(self.folder, "client.key"), 0o600)
        access = 'certificates: [{ cn: ops, principal: ops, grants: [{ allow: [catalog] }] }]\n'
        with Daemon(files={"server.pem": self.read("server.pem"), "server.key": self.read("server.key"),
                           "ca.pem": self.read("ca.pem"), "tokens.yaml": access},
                    config="tls: { certificate: server.pem, key: server.key, client_ca: ca.pem }\n"
                           "auth: { tokens_file: tokens.yaml }\n") as daemon:
            trust = ("--server", daemon.address, "--tls-ca", os.path.join(self.folder, "ca.pem"))
            mine = ("--tls-cert", os.path.join(self.folder, "client.pem"),
                    "--tls-key", os.path.join(self.folder, "client.key"))
            good = fermata(*trust, *mine, "plugins")
            self.assertEqual(good.returncode, 0, good.stderr)
            nobody = fermata(*trust, "plugins")
            self.assertEqual(nobody.returncode, 5, nobody.stderr)
            self.assertIn("CREDENTIALS_MISSING", nobody.stderr)
            plain = fermata("--server", daemon.address, "plugins")
            self.assertEqual(plain.returncode, 6, plain.stderr)

    def test_a_token_is_not_sent_in_the_open(self):
        got = fermata("--server", "192.0.2.1:7450", "plugins", FERMATA_TOKEN="fermata_x_y")
        self.assertEqual(got.returncode, 2, got.stderr)
        self.assertIn("--tls", got.stderr)
        self.assertNotIn("fermata_x_y", got.stderr)

    def test_token_new_prints_the_token_alone_and_its_entry_beside_it(self):
        got = fermata("token", "new", "--principal", "team-a", "--queue", "team-a-*")
        self.assertRegex(got.stdout, r"\Afermata_[0-9a-f]{16}_[0-9a-f]{64}\n\Z")
        self.assertRegex(got.stderr, r"sha256: [0-9a-f]{64}\n    principal: team-a\n")
        self.assertNotIn(got.stdout.strip()[-64:], got.stderr)
        self.assertTrue(re.search(r'queues: \["team-a-\*"\]', got.stderr), got.stderr)


if __name__ == "__main__":
    main()
