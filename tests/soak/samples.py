"""What a process holds, over time, and whether that grows."""
import os
from collections import namedtuple

Sample = namedtuple("Sample", "seconds rss_bytes fds threads")
# Memory that goes up by less than this over a whole run is noise: allocators, buffers, timing.
RSS_SLACK_BYTES = 8 << 20
RSS_SLACK_SHARE = 0.05
FD_SLACK = 8
WARM_UP_SHARE = 0.3


def sample(pid, seconds):
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status)
    return Sample(seconds, int(fields["VmRSS"].split()[0]) << 10, len(os.listdir("/proc/%d/fd" % pid)),
                  int(fields["Threads"]))


def slope(points):
    """Of the least squares line through (x, y) pairs."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def growth(samples, field):
    """By how much `field` went up over the samples, as the line through them has it."""
    points = [(each.seconds, getattr(each, field)) for each in samples]
    return slope(points) * (points[-1][0] - points[0][0])


def warm(samples):
    """What is left when the beginning, in which caches and pools fill, is cut off."""
    return samples[int(len(samples) * WARM_UP_SHARE):]


def growths(samples):
    """Sentences about what grows; empty when it is flat."""
    steady = warm(samples)
    found = []
    mean = sum(each.rss_bytes for each in steady) / len(steady)
    rss = growth(steady, "rss_bytes")
    if rss > max(RSS_SLACK_BYTES, RSS_SLACK_SHARE * mean):
        found.append("memory grows: %.1f MiB more after %.0f s, of %.1f MiB"
                     % (rss / 2**20, steady[-1].seconds - steady[0].seconds, mean / 2**20))
    fds = growth(steady, "fds")
    if fds > FD_SLACK:
        found.append("descriptors grow: %.0f more after %.0f s" % (fds, steady[-1].seconds - steady[0].seconds))
    return found
