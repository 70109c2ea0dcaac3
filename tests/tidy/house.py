"""The plan of the house: which room may include which, and the limits a file keeps.

A room is the first two parts of a path (services/async). Arrows point down only; what is not listed
here is forbidden. services/config and services/metrics are leaves that any room may use.
"""

LEAVES = {"services/config", "services/metrics"}

# room -> rooms it may include, besides itself and the leaves
ARROWS = {
    "services/async": set(),
    "services/config": set(),
    "services/metrics": set(),
    "services/pipeline": {"services/async"},
    "services/stages": {"services/async", "plugins/abi"},
    # A plugin's own process: the stages' room again, at the other end of a socket.
    "services/plugin_host": {"services/async", "services/stages", "plugins/abi"},
    "services/plugin_kit": {"services/async", "services/stages", "plugins/abi"},
    "services/store": {"services/async"},
    "services/engine": {"services/async", "services/pipeline", "services/stages", "services/store"},
    "services/frontend": {
        "services/async", "services/engine", "services/pipeline", "services/stages",
        "services/store", "proto/fermata",
    },
    "services/fermatad": {
        "services/async", "services/engine", "services/frontend", "services/pipeline",
        "services/stages", "services/store",
    },
    # `run --local` is a server in the same process: it connects the same parts as fermatad.
    "services/cli": {
        "services/async", "services/engine", "services/fermatad", "services/frontend",
        "services/pipeline", "services/plugin_kit", "services/stages", "services/store",
        "proto/fermata",
    },
    "plugins/abi": set(),
    "plugins/sdk": {"plugins/abi", "services/async"},
    # Not a plugin: what those that use libcurl share.
    "plugins/curl": {"services/async"},
}

# every plugins/<name> that is not listed above
PLUGIN = {"plugins/sdk", "plugins/abi", "plugins/curl", "services/async"}

# A leaf stays one: these may not include any other leaf either.
BARE = {"services/async", "services/config", "services/metrics", "plugins/abi"}


def allowed(room):
    """The rooms that `room` may include, itself among them."""
    if room in ARROWS:
        down = ARROWS[room]
    elif room.startswith("plugins/"):
        down = PLUGIN
    else:
        return None
    return down | {room} | (set() if room in BARE else LEAVES)


MAX_LINES = 400
# Calls that only their own room may make: pattern -> (why, files that may)
BANNED = {
    # sleep_until without this_thread is the core's, or the plugin ABI's.
    r"\b(sleep_for|this_thread::sleep_until|usleep|nanosleep)\s*\(": (
        "blocks the thread; co_await sleep()", ("services/async/sleep.h",)),
    r"\bstd::(this_thread|jthread|thread)\b": (
        "threads belong to the named hand-over files", (
            "services/async/offload_pool.h", "services/async/basic_offload_pool.h",
            # One kernel ring belongs to one thread; a watchdog looks from another.
            "services/async/kernel_loop.h", "services/async/kernel_loop.cc",
            "services/async/uring_ring.h", "services/async/uring_ring.cc",
            "services/async/watchdog.h", "services/async/watchdog.cc",
            # The laboratory runs blocking() on a thread, as the contract says.
            "services/plugin_kit/lab_",
            "services/stages/", "services/plugin_host/", "services/fermatad/", "services/cli/",
            "tests/")),
    r"\b(system_clock|steady_clock|absl::Now)\b": (
        "time enters through the Loop or a Clock", (
            "services/async/", "services/fermatad/", "services/cli/", "services/engine/clock",
            "services/frontend/", "services/metrics/", "plugins/sdk/", "tests/")),
    r"\b(rand|srand|random_device)\s*[({]": (
        "randomness is seeded and enters from outside", (
            # The seed of a checked build, which is printed.
            "services/async/checked.cc", "services/fermatad/", "services/cli/")),
    r"\bRTLD_|\bdlopen\s*\(": ("only services/stages loads code", ("services/stages/", "tests/")),
    r"\bGTEST_SKIP\b|\bDISABLED_\w": ("a test that does not run is no test", ()),
}
