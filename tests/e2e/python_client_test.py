"""A Python client with nothing but Debian's grpcio and stubs generated from proto/."""
import json
import unittest

import grpc

from harness import Daemon, WebServer, details_of, jobs_pb2, main, pipelines_pb2, plugins_pb2

GREET = """
pipeline: greet
input: { type: object, required: [name], properties: { name: { type: string } } }
stages:
  wait:
    use: time/delay
    with: { for: 1ms, value: { hello: "${/input/name}" } }
"""

Job = jobs_pb2.Job


def job(pipeline="", stage="", data=None, **fields):
    work = {"pipeline": pipeline} if pipeline else {"stage": stage}
    return Job(input=b"" if data is None else json.dumps(data).encode(), **work, **fields)


class PythonClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(pipelines={"greet": GREET}).__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.close()

    def submit(self, **kwargs):
        return self.daemon.jobs.Submit(jobs_pb2.SubmitJobRequest(job=job(**kwargs)))

    def code_of(self, call, *args):
        with self.assertRaises(grpc.RpcError) as caught:
            call(*args)
        return caught.exception.code(), details_of(caught.exception)

    def test_run_answers_with_the_result(self):
        ended = self.daemon.jobs.Run(jobs_pb2.RunJobRequest(
            job=job(pipeline="greet", data={"name": "Zoë 日本"}, labels={"tenant": "acme"})))
        self.assertEqual(ended.state, Job.SUCCEEDED)
        self.assertEqual(json.loads(ended.result), {"hello": "Zoë 日本"})
        self.assertTrue(ended.name.startswith("jobs/"))
        self.assertEqual(dict(ended.labels), {"tenant": "acme"})
        self.assertEqual([(s.name, s.done, s.total) for s in ended.stages], [("wait", 1, 1)])

    def test_submit_wait_get_and_delete_a_job(self):
        submitted = self.submit(pipeline="greet", data={"name": "x"})
        ended = self.daemon.jobs.Wait(jobs_pb2.WaitJobRequest(name=submitted.name))
        self.assertEqual(ended.state, Job.SUCCEEDED)
        got = self.daemon.jobs.Get(
            jobs_pb2.GetJobRequest(name=submitted.name, view=jobs_pb2.JOB_VIEW_FULL))
        self.assertEqual(json.loads(got.input), {"name": "x"})
        self.assertEqual(got.result, ended.result)
        self.daemon.jobs.Delete(jobs_pb2.DeleteJobRequest(name=submitted.name))
        code, details = self.code_of(
            self.daemon.jobs.Get, jobs_pb2.GetJobRequest(name=submitted.name))
        self.assertEqual(code, grpc.StatusCode.NOT_FOUND)
        self.assertEqual(details["ErrorInfo"].reason, "JOB_NOT_FOUND")
        self.assertEqual(details["ErrorInfo"].domain, "fermata.dev")

    def test_watch_tells_the_story_up_to_the_end(self):
        submitted = self.submit(pipeline="greet", data={"name": "x"})
        events = list(self.daemon.jobs.Watch(jobs_pb2.WatchJobRequest(name=submitted.name)))
        self.assertEqual(events[-1].kind, jobs_pb2.JobEvent.FINISHED)
        self.assertEqual(json.loads(events[-1].job.result), {"hello": "x"})
        sequences = [event.sequence for event in events]
        self.assertEqual(sequences, sorted(sequences))

    def test_watch_resumes_after_the_last_sequence_seen(self):
        submitted = self.submit(pipeline="greet", data={"name": "x"})
        first = list(self.daemon.jobs.Watch(jobs_pb2.WatchJobRequest(name=submitted.name)))
        rest = list(self.daemon.jobs.Watch(jobs_pb2.WatchJobRequest(
            name=submitted.name, after_sequence=first[-1].sequence - 1)))
        self.assertEqual(rest[-1].kind, jobs_pb2.JobEvent.FINISHED)
        self.assertTrue(all(event.sequence >= first[-1].sequence for event in rest))

    def test_cancel_stops_a_job_that_sleeps(self):
        submitted = self.submit(stage="time/delay", data={"for": "1h"})
        self.daemon.jobs.Cancel(jobs_pb2.CancelJobRequest(name=submitted.name))
        ended = self.daemon.jobs.Wait(jobs_pb2.WaitJobRequest(name=submitted.name))
        self.assertEqual(ended.state, Job.CANCELLED)
        code, details = self.code_of(
            self.daemon.jobs.Cancel, jobs_pb2.CancelJobRequest(name=submitted.name))
        self.assertEqual(code, grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(details["ErrorInfo"].reason, "JOB_FINISHED")

    def test_a_job_past_its_timeout_expires(self):
        request = job(stage="time/delay", data={"for": "1h"})
        request.timeout.FromMilliseconds(20)
        ended = self.daemon.jobs.Run(jobs_pb2.RunJobRequest(job=request))
        self.assertEqual(ended.state, Job.EXPIRED)

    def test_list_filters_by_state_and_label_and_pages(self):
        for i in range(5):
            self.daemon.jobs.Run(jobs_pb2.RunJobRequest(
                job=job(pipeline="greet", data={"name": str(i)}, labels={"batch": "list me"})))
        seen, token = [], ""
        while True:
            page = self.daemon.jobs.List(jobs_pb2.ListJobsRequest(
                page_size=2, page_token=token,
                filter='state = SUCCEEDED AND labels.batch = "list me"'))
            seen += [listed.name for listed in page.jobs]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(len(seen), 5)
        self.assertEqual(seen, sorted(seen, reverse=True), "newest first")

    def test_the_same_request_id_gives_the_same_job(self):
        request = jobs_pb2.SubmitJobRequest(
            job=job(pipeline="greet", data={"name": "once"}), request_id="4f0c1c1e")
        first = self.daemon.jobs.Submit(request)
        self.assertEqual(self.daemon.jobs.Submit(request).name, first.name)
        request.job.input = b'{"name":"twice"}'
        code, details = self.code_of(self.daemon.jobs.Submit, request)
        self.assertEqual(code, grpc.StatusCode.ALREADY_EXISTS)
        self.assertEqual(details["ErrorInfo"].reason, "REQUEST_ID_REUSED")

    def test_a_flaky_page_is_retried_until_it_answers(self):
        with WebServer() as web:
            yaml = ("pipeline: retried\nstages:\n  get:\n    use: http/get\n"
                    "    with: { url: '%s' }\n    retry: { attempts: 4, initial: 1ms }\n"
                    % web.url("/flaky/2"))
            ended = self.daemon.jobs.Run(jobs_pb2.RunJobRequest(job=Job(pipeline_yaml=yaml)))
            self.assertEqual(ended.state, Job.SUCCEEDED, ended.error.message)
            self.assertEqual(json.loads(ended.result)["body"], "ok")
            self.assertEqual(ended.stages[0].retries, 2)
            self.assertEqual(web.requests, 3)

    def test_pipelines_and_plugins_are_listed(self):
        listed = self.daemon.pipelines.List(pipelines_pb2.ListPipelinesRequest()).pipelines
        self.assertEqual([pipeline.name for pipeline in listed], ["pipelines/greet"])
        got = self.daemon.pipelines.Get(pipelines_pb2.GetPipelineRequest(name="greet"))
        self.assertEqual([stage.use for stage in got.stages], ["time/delay"])
        self.assertEqual(json.loads(got.input_schema)["required"], ["name"])
        plugins = self.daemon.plugins.List(plugins_pb2.ListPluginsRequest()).plugins
        self.assertEqual([plugin.name for plugin in plugins],
                         ["plugins/" + name for name in ("file", "html", "http", "json", "time")])
        stages = {stage.name for plugin in plugins for stage in plugin.stages}
        self.assertLessEqual({"http/get", "html/select", "json/merge", "time/delay"}, stages)

    def test_health_says_serving(self):
        check = self.daemon.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(check(b""), b"\x08\x01")


if __name__ == "__main__":
    main()
