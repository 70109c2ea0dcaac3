"""The API-server scenario: a thousand clients wait in Run at once, through one daemon."""
import json
import unittest

import grpc

from harness import Daemon, WebServer, jobs_pb2, main

CALLS = 1000
CHANNELS = 8

ANSWER = """
pipeline: answer
input: { type: object, required: [url, id] }
stages:
  ask:
    use: http/get
    with: { url: "${/input/url}" }
    timeout: 50s
  merge:
    use: json/merge
    with: { values: [ { id: "${/input/id}" }, { said: "${/stages/ask/body}" } ] }
"""


class ApiServer(unittest.TestCase):
    def test_a_thousand_concurrent_runs_each_get_their_own_answer(self):
        # The gate answers nobody before all thousand have asked, so this ends only if the daemon
        # carries a thousand jobs at once.
        # All of them ask one host, which by default 64 connections are for.
        connections = "    http: { max_connections: %d, max_connections_per_host: %d }\n" % (CALLS, CALLS)
        with Daemon(pipelines={"answer": ANSWER}, stage_config=connections) as daemon, \
                WebServer(gate=CALLS) as web:
            channels = [grpc.insecure_channel(daemon.address, options=[("channel", i)])
                        for i in range(CHANNELS)]
            runs = [channel.unary_unary(
                "/fermata.v1.Jobs/Run",
                request_serializer=jobs_pb2.RunJobRequest.SerializeToString,
                response_deserializer=jobs_pb2.Job.FromString) for channel in channels]
            calls = [runs[i % CHANNELS].future(jobs_pb2.RunJobRequest(job=jobs_pb2.Job(
                pipeline="answer",
                input=json.dumps({"url": web.url("/gate"), "id": i}).encode())), timeout=100)
                     for i in range(CALLS)]
            for i, call in enumerate(calls):
                ended = call.result()
                self.assertEqual(ended.state, jobs_pb2.Job.SUCCEEDED, ended.error.message)
                self.assertEqual(json.loads(ended.result), {"id": i, "said": "through"})
            self.assertEqual(web.most_at_once, CALLS)
            self.assertEqual(web.requests, CALLS, "each asked once: no time-out opened the gate")
            for channel in channels:
                channel.close()
            numbers = daemon.metrics()
            ended = 'fermata_jobs_finished_total{pipeline="answer",state="SUCCEEDED"}'
            self.assertEqual(numbers[ended], CALLS)


if __name__ == "__main__":
    main()
