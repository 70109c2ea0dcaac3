"""What the clients saw, and what must be true of it whenever and however often the daemon died.

The checker knows nothing of the daemon: it compares the clients' own log, the outside world's, and
what a listing says at the end.
"""
import threading
from collections import namedtuple

Ended = namedtuple("Ended", "state result end_time")  # all that a terminal state is known by


class History:
    """Thread-safe; entries are only ever added."""

    def __init__(self):
        self._lock = threading.Lock()
        self.acknowledged = {}  # request id: the set of names it was answered with
        self.ended = {}  # name: the set of terminal states that were seen
        self.sequences = []  # (name, what was wrong)
        self.cancelled = set()  # names that somebody tried to cancel
        self.late = set()  # names that had not ended long after their deadline

    def acknowledge(self, request_id, name):
        with self._lock:
            self.acknowledged.setdefault(request_id, set()).add(name)

    def end(self, job):
        seen = Ended(job.state, bytes(job.result), job.end_time.ToNanoseconds())
        with self._lock:
            self.ended.setdefault(job.name, set()).add(seen)

    def cancel(self, name):
        with self._lock:
            self.cancelled.add(name)

    def outlives(self, name):
        with self._lock:
            self.late.add(name)

    def out_of_order(self, name, what):
        with self._lock:
            self.sequences.append((name, what))


class Watched:
    """What one watcher of one job is owed, stream after stream: no event twice, none left out, and the
    end."""

    def __init__(self, name, history):
        self._name, self._history = name, history
        self._follows = False  # an event of this very stream
        self.last = 0
        self.count = 0
        self.finished = False

    def begins(self):
        self._follows = False

    def saw(self, event):
        snapshot = event.kind == event.SNAPSHOT
        if event.sequence < self.last or (event.sequence == self.last and not snapshot):
            self._history.out_of_order(self._name, "%d came after %d" % (event.sequence, self.last))
        elif self._follows and not snapshot and event.sequence != self.last + 1:
            self._history.out_of_order(self._name, "%d was followed by %d" % (self.last, event.sequence))
        self.last = event.sequence
        self.count += 1
        self._follows = True
        if event.job.HasField("end_time"):
            self._history.end(event.job)
            self.finished = True

    def ends(self):
        """The server says that there is nothing more."""
        if not self.finished:
            self._history.out_of_order(self._name, "the stream ended before the job did")


def violations(history, stored, work, states):
    """A list of sentences; empty when all holds.

    `stored` is {name: the job at the end}; `states` has SUCCEEDED, FAILED, CANCELLED, EXPIRED as numbers.
    """
    found = []
    for request_id, names in sorted(history.acknowledged.items()):
        if len(names) != 1:
            found.append("request %s was answered with several jobs: %s" % (request_id, sorted(names)))
        for name in names:
            if name not in stored:
                found.append("%s (request %s) was acknowledged and is lost" % (name, request_id))
    keys = {}
    for name, job in sorted(stored.items()):
        key = job.labels["key"]
        if keys.setdefault(key, name) != name:
            found.append("request %s made two jobs: %s and %s" % (key, keys[key], name))
        found += _violations_of(name, key, job, history, work, states)
    found += ["events of %s: %s" % entry for entry in history.sequences]
    found += ["%s outlives its deadline" % name for name in sorted(history.late)]
    return found


def _violations_of(name, key, job, history, work, states):
    found = []
    if not job.HasField("end_time"):
        return ["%s does not end" % name]
    ends = set(history.ended.get(name, ()))
    ends.add(Ended(job.state, bytes(job.result), job.end_time.ToNanoseconds()))
    if len(ends) != 1:
        found.append("%s ended more than once: %s" % (name, sorted(ends)))
    wanted = states.EXPIRED if job.pipeline == "stuck" else states.SUCCEEDED
    if job.pipeline == "once" and job.state == states.FAILED and job.reason == "STAGE_LOST":
        wanted = states.FAILED
    if job.state != wanted and not (job.state == states.CANCELLED and name in history.cancelled):
        found.append("%s ended as %d (%s)" % (name, job.state, job.error.message or job.reason))
    steps = work.requests.get(key, [])
    if steps != sorted(steps):
        found.append("%s did a finished step again: %s" % (name, steps))
    if job.pipeline == "once" and steps.count(2) > 1:
        found.append("%s did the step that it may do once %d times: %s" % (name, steps.count(2), steps))
    if job.state == states.SUCCEEDED:
        want = ",".join(work.answers.get((key, step), ["(never asked)"])[-1] for step in (1, 2, 3))
        got = job.result.decode().strip('"')
        if got != want:
            found.append("%s has the result %s, expected %s" % (name, got, want))
    return found
