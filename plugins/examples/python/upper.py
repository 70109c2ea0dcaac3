"""The example stage in Python: it sleeps a little, works on another thread, and answers its input
in upper case.

A stage is a generator. It yields what it waits for (nap, work), gets its result back, and
returns its output. When its job is cancelled it is closed where it waits: `finally` is the
clean-up.
"""
from fermata_stage import nap, work


def upper(text):
    yield nap(0.003)
    result = yield work(str.upper, text)
    return result
