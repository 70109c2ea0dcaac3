"""The measurements of tests/bench/run: rounds of all cases in turn, medians, ratios to the echo server."""
import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

OUTSTANDING = [1, 16, 64]
RATE = 200  # jobs a second for the latency case

# (what, method, server): the echo case of the same mode and number is what it is compared with.
KINDS = [("echo", "echo", "echo"), ("submit", "submit", "fermatad"),
         ("durable submit", "submit", "durable"), ("run a no-op job", "run", "fermatad")]
# (name, method, server, mode, number)
CASES = [("%s, %d outstanding" % (label, n), method, server, "outstanding", n)
         for n in OUTSTANDING for label, method, server in KINDS]
CASES += [("%s at %d/s" % (label, RATE), method, server, "rate", RATE)
          for label, method, server in KINDS]
DURABLE_REQUIRED = 0.8  # of the same server's memory mode, at 64 outstanding


def built(path):
    return os.path.join(os.environ["FERMATA_BUILD"], path)


@contextlib.contextmanager
def program(command, pattern):
    """A running program, and what `pattern` found in its first line."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        found = re.search(pattern, line)
        if not found:
            raise SystemExit("bench: %s did not start: %r" % (command[0], line))
        yield process, found.group(1)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def fermatad(durable=False):
    # Not on /tmp, which may be memory: syncs must cost what they cost.
    folder = tempfile.mkdtemp(prefix="fermata-bench-", dir="/var/tmp")
    try:
        os.mkdir(os.path.join(folder, "plugins"))
        for name in ("time", "json"):
            shutil.copy(built("plugins/%s/%s.so" % (name, name)), os.path.join(folder, "plugins"))
            os.chmod(os.path.join(folder, "plugins", name + ".so"), 0o644)
        config = os.path.join(folder, "fermata.yaml")
        with open(config, "w", encoding="utf-8") as out:
            # Retention as by default but in count: what is measured must not grow with the run.
            out.write('listen: "127.0.0.1:0"\nmetrics: "127.0.0.1:0"\n'
                      "plugins: { folder: plugins }\nlog: { level: warning }\n"
                      "retention: { jobs: 20000 }\n"
                      + ("store: { directory: store }\n" if durable else ""))
        command = [built("services/fermatad/fermatad"), "--config", config]
        with program(command, r"gRPC on (\S+?),") as (process, address):
            yield process, address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) * 1024


def measure(address, pid, method, mode, number, seconds):
    before = cpu_seconds(pid)
    done = subprocess.run(
        [built("tests/bench/grpc/load_client"), address, method, str(seconds), mode, str(number)],
        stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit("bench: %s %s %d failed: %s" % (method, mode, number, done.stdout))
    numbers = json.loads(done.stdout)
    numbers["server_cpu_us"] = (cpu_seconds(pid) - before) / numbers["calls"] * 1e6
    return numbers


def rounds(arguments, servers):
    """{case name: [numbers of each round]}; cases take turns, so that a slow minute hits all."""
    samples = {case[0]: [] for case in CASES}
    for number in range(arguments.repeat + 1):
        warm_up = number == 0
        for name, method, server, mode, amount in CASES:
            process, address = servers[server]
            seconds = 0.3 if warm_up else arguments.seconds
            numbers = measure(address, process.pid, method, mode, amount, seconds)
            if not warm_up:
                samples[name].append(numbers)
        print("round %d of %d%s" % (number, arguments.repeat, " (warm-up)" if warm_up else ""),
              file=sys.stderr)
    return samples


def medians(samples):
    return {name: {key: statistics.median(one[key] for one in taken) for key in taken[0]}
            for name, taken in samples.items()}


def echo_of(name):
    return (name.replace("run a no-op job", "echo").replace("durable submit", "echo")
            .replace("submit", "echo"))


def table(result):
    yield "%-32s %10s %7s %9s %7s %9s %7s %12s" % (
        "", "calls/s", "ratio", "p50 µs", "ratio", "p99 µs", "ratio", "server µs")
    for name, numbers in result.items():
        echo = result[echo_of(name)]
        ratio = lambda key: "" if numbers is echo else "%.2f" % (numbers[key] / echo[key])
        yield "%-32s %10.0f %7s %9.0f %7s %9.0f %7s %12.1f" % (
            name, numbers["per_second"], ratio("per_second"), numbers["p50_us"], ratio("p50_us"),
            numbers["p99_us"], ratio("p99_us"), numbers["server_cpu_us"])


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--repeat", type=int, default=3, help="rounds; the median is shown")
    arguments = parser.parse_args()
    with program([built("tests/bench/grpc/echo_server")], r"(\S+)") as echo, \
            fermatad() as daemon, fermatad(durable=True) as durable:
        samples = rounds(arguments, {"echo": echo, "fermatad": daemon, "durable": durable})
        memory = peak_bytes(daemon[0].pid)
    result = medians(samples)
    print("\n".join(table(result)))
    memory_mode, on_disk = (result["%s, 64 outstanding" % kind]["per_second"]
                            for kind in ("submit", "durable submit"))
    print("durable to memory mode, 64 outstanding: %.2f, required %.1f" % (
        on_disk / memory_mode, DURABLE_REQUIRED))
    print("fermatad's peak memory: %.0f MiB; %d CPUs; load before and after matters: %.1f now" % (
        memory / 2**20, os.cpu_count(), os.getloadavg()[0]))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump({"machine": platform.platform(), "cpus": os.cpu_count(),
                       "load": os.getloadavg(), "peak_bytes": memory, "median": result,
                       "samples": samples}, out, indent=1)
            out.write("\n")


if __name__ == "__main__":
    main()
