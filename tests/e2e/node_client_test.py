"""A Node client (@grpc/grpc-js) submits, watches and reads a job."""
import json
import os
import subprocess
import unittest

from harness import Daemon, built, main


class NodeClient(unittest.TestCase):
    def test_node_submits_a_job_watches_it_and_reads_its_result(self):
        script = os.path.realpath(built("tests/e2e/node/client.js"))
        modules = os.path.join(os.path.dirname(script), "node_modules")
        self.assertTrue(os.path.isdir(modules), "run tests/install-node-deps first: " + modules)
        protos = os.path.dirname(os.path.dirname(os.path.dirname(
            os.path.realpath(built("proto/fermata/v1/jobs.proto")))))
        with Daemon() as daemon:
            done = subprocess.run(["node", script, daemon.address, protos], capture_output=True,
                                  encoding="utf-8", timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            seen = json.loads(done.stdout)
        self.assertEqual(seen["state"], "SUCCEEDED")
        self.assertEqual(seen["result"], {"said": "héllo 日本"})
        self.assertEqual(seen["ran"], {"said": "héllo 日本"})
        self.assertEqual(seen["last"], "FINISHED")
        self.assertEqual(seen["refused"], "NOT_FOUND")


if __name__ == "__main__":
    main()
