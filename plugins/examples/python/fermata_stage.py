"""Between shim.c and a stage's generator: what is yielded becomes an op, what is returned JSON."""
import json


class Nap:
    def __init__(self, seconds):
        self.seconds = seconds


class Work:
    def __init__(self, function, arguments):
        self.function = function
        self.arguments = arguments
        self.result = None


def nap(seconds):
    """Waits on the server's loop; no thread waits."""
    return Nap(seconds)


def work(function, *arguments):
    """Runs function(*arguments) on a thread of the server and gives what it returned."""
    return Work(function, arguments)


class Call:
    """One call. Each method answers (what, number, text); shim.c knows the words."""

    def __init__(self, stage, text):
        self.generator = stage(json.loads(text))
        self.waits_for = None

    def step(self):
        done = self.waits_for
        try:
            self.waits_for = self.generator.send(done.result if isinstance(done, Work) else None)
        except StopIteration as end:
            return ("done", 0, json.dumps(end.value))
        except Exception as error:  # pylint: disable=broad-except
            return ("fail", 0, "%s: %s" % (type(error).__name__, error))
        if isinstance(self.waits_for, Nap):
            return ("nap", int(self.waits_for.seconds * 1e9), "")
        if isinstance(self.waits_for, Work):
            return ("work", 0, "")
        return ("fail", 0, "a stage yields nap() or work(), got %r" % (self.waits_for,))

    def run(self):
        """On a worker thread."""
        try:
            self.waits_for.result = self.waits_for.function(*self.waits_for.arguments)
        except Exception as error:  # pylint: disable=broad-except
            return ("fail", 0, "%s: %s" % (type(error).__name__, error))
        return ("done", 0, "")

    def close(self):
        self.generator.close()
