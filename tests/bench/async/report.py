"""What suite R's figures mean: the table, what may be compared, and the ratios that are required."""
import statistics

# test, key in the program's line, label, digits, whether more is better
FIGURES = [
    ("R1", "ns", "R1 spawn and join, ns", 1),
    ("R2", "ns", "R2 hop, 100 000 tasks, ns", 1),
    ("R3a", "ns", "R3a queue(1) ping-pong, ns/message", 1),
    ("R3b", "ns", "R3b queue(1024), ns/message", 1),
    ("R4", "bytes_per_task", "R4 a sleeping task, bytes", 0),
    ("R4", "spawn_s", "R4 starting a million, s", 2),
    ("R4", "cpu_s", "R4 CPU of all, s", 2),
    ("R5", "ns", "R5 timer armed and dropped, ns", 1),
    ("R6", "ns", "R6 coroutine call, ns", 1),
    ("R7", "per_cpu_second", "R7 echo, requests per CPU-second", 0),
    ("R7", "per_second", "R7 requests per second", 0),
    ("R7", "busy", "R7 server core busy", 2),
    ("R7", "p99_us", "R7 p99, µs", 0),
    ("R8", "ops_s", "R8 posts per second", 0),
    ("R8", "wake_p50_us", "R8 wake-up p50, µs", 1),
    ("R8", "wake_p99_us", "R8 wake-up p99, µs", 1),
    ("R9", "ns", "R9 lock and unlock, ns", 1),
    ("R9", "contended_ns", "R9 … held across a turn, 2 rivals, ns", 1),
    ("R10", "expire_ms", "R10 10 000 timeouts due, stall ms", 1),
    ("R10", "cancel_ms", "R10 … cancelled, stall ms", 1),
]

# What a peer answers with something else; shown, but no yardstick.
NOT_THE_SAME = {
    ("node", "R1"): "Node's R1 spawns nothing: it awaits an async function",
    ("cobalt", "R1"): "Cobalt's R1 spawns nothing: it awaits an eager promise",
    ("go", "R6"): "Go's R6 is a plain function call: there is nothing to suspend",
    ("go", "R9"): "Go's lock is one for threads: no order of arrival, no wait that can be cancelled",
}

# test, key, how many times faster than the fastest peer
FASTER = [
    ("spawn", "R1", "ns", 3.0), ("hop", "R2", "ns", 3.0), ("queue, ping-pong", "R3a", "ns", 4.0),
    ("queue, buffered", "R3b", "ns", 4.0), ("timeout", "R5", "ns", 4.0),
    ("coroutine call", "R6", "ns", 1.3), ("lock", "R9", "ns", 1.7),
]
BYTES_PER_TASK = 256
STALL_MS = 5.0


class Results:
    """samples[name][test]: a list of figures, one a round; reasons[name, test]: why there are none."""

    def __init__(self, names):
        self.names = names
        self.samples = {name: {} for name in names}
        self.reasons = {}

    def add(self, name, test, figures):
        self.samples[name].setdefault(test, []).append(figures)

    def values(self, name, test, key):
        return [one[key] for one in self.samples[name].get(test, []) if key in one]

    def median(self, name, test, key):
        values = self.values(name, test, key)
        return statistics.median(values) if values else None

    def spread(self, name, test, key):
        """Half of the distance between the extremes, as a part of the median."""
        values = self.values(name, test, key)
        middle = statistics.median(values)
        return (max(values) - min(values)) / 2 / middle if middle else 0.0

    def against_best_peer(self, test, key, most=False):
        """(how many times better we are, of whom, lowest, highest) of the peer that comes closest.

        The median of the rounds' own ratios: what was measured seconds apart met the same machine.
        None when there is nobody to compare with.
        """
        found = []
        for name in self.names[1:]:
            pairs = list(zip(self.values(self.names[0], test, key), self.values(name, test, key)))
            if not pairs or (name, test) in NOT_THE_SAME:
                continue
            ratios = [own / peer if most else peer / own for own, peer in pairs]
            found.append((statistics.median(ratios), name, min(ratios), max(ratios)))
        return min(found) if found else None


def table(results, tests):
    notes = {}

    def mark(reason):
        return "[%d]" % notes.setdefault(reason, len(notes) + 1)

    def cell(name, test, key, digits):
        value = results.median(name, test, key)
        if value is None:
            reason = results.reasons.get((name, test)) if test != "R10" else None
            return "n/a" + mark("%s: %s" % (name, reason)) if reason else "-"
        text = "%.*f" % (digits, value)
        if len(results.values(name, test, key)) > 1:  # one round says nothing of the spread
            text += " ±%.0f%%" % (100 * results.spread(name, test, key))
        different = NOT_THE_SAME.get((name, test))
        return text + (mark(different) if different else "")

    width = max(18, *(len(name) + 2 for name in results.names))
    yield "%-38s" % "median ± half the range" + "".join("%*s" % (width, n) for n in results.names)
    for test, key, label, digits in FIGURES:
        if test not in tests:
            continue
        cells = [cell(name, test, key, digits) for name in results.names]
        yield "%-38s" % label + "".join("%*s" % (width, one) for one in cells)
    for reason, number in notes.items():
        yield "[%d] %s" % (number, reason)


def verdicts(results, tests):
    """(passed or None when it could not be judged, line) of each requirement."""
    us = results.names[0]

    def judge(name, found, passed, detail):
        word = "no peer" if passed is None else "pass" if passed else "FAIL"
        return passed, "%-8s %-28s %s" % (word, name, detail if found else "nothing to compare with")

    for name, test, key, factor in FASTER:
        if test not in tests:
            continue
        own, best = results.median(us, test, key), results.against_best_peer(test, key)
        if own is None:
            yield False, "FAIL     %-28s ours has no figure" % name
        elif best is None:
            yield judge(name, False, None, "")
        else:
            ratio, peer, lowest, highest = best
            yield judge(name, True, ratio >= factor, "%.2f × as fast as %s (rounds %.2f to %.2f; %.1f "
                        "and %.1f ns), required %.1f ×" % (
                            ratio, peer, lowest, highest, own, results.median(peer, test, key),
                            factor))
    if "R4" in tests:
        size = results.median(us, "R4", "bytes_per_task")
        yield judge("sleeping task", True, size is not None and size <= BYTES_PER_TASK,
                    "%s bytes resident, required at most %d" % (
                        "no" if size is None else "%.0f" % size, BYTES_PER_TASK))
    if "R7" in tests:
        own = results.median(us, "R7", "per_cpu_second")
        best = results.against_best_peer("R7", "per_cpu_second", most=True)
        if own is None:
            yield False, "FAIL     %-28s ours has no figure" % "echo"
        elif best is None:
            yield judge("echo", False, None, "")
        else:
            ratio, peer, lowest, highest = best
            yield judge("echo", True, ratio >= 1, "%.2f × the requests per CPU-second of %s (rounds "
                        "%.2f to %.2f; %.0f and %.0f), required 1.0 ×" % (
                            ratio, peer, lowest, highest, own,
                            results.median(peer, "R7", "per_cpu_second")))
    if "R8" in tests:
        rounds = [(one["writes"], one["sleeps"]) for one in results.samples[us].get("R8", [])]
        passed = bool(rounds) and all(0 <= writes <= sleeps for writes, sleeps in rounds)
        yield judge("wake-up from a thread", True, passed, "%s eventfd writes for %s sleeps of the "
                    "loop, required at most one each" % (
                        sum(w for w, _ in rounds), sum(s for _, s in rounds)))
    if "R10" in tests:
        stall = results.median(us, "R10", "stall_ms")
        yield judge("10 000 timeouts end", True, stall is not None and stall <= STALL_MS,
                    "the loop is held up for %s ms, allowed are %.0f" % (
                        "?" if stall is None else "%.1f" % stall, STALL_MS))
