"""What people see at the end: the gathered result as a table, and the metrics that moved."""
import shutil
import urllib.parse

ROWS = 15

METRICS = [
    "fermata_jobs_submitted_total", "fermata_jobs_finished_total", "fermata_stage_attempts_total",
    "fermata_plugin_calls_total", "fermata_stage_duration_seconds_count",
    "fermata_loop_iterations_total", "fermata_loop_steps_total", "fermata_loop_tasks_started_total",
    "fermata_loop_timers_fired_total", "fermata_loop_busy_seconds_total",
    "fermata_loop_lag_seconds_count", "fermata_loop_offloads_total",
    "fermata_rpc_requests_total", "fermata_store_commits_total",
]


def cut(text, width):
    text = "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))
    return text if len(text) <= width else text[:width - 1] + "…"


def table(titles, rows, widths):
    """Lines of a table; a number stands at the right of its column."""
    yield "  ".join(title.ljust(width) if width > 0 else title.rjust(-width)
                    for title, width in zip(titles, widths)).rstrip()
    for row in rows:
        yield "  ".join(cut(cell, abs(width)).ljust(width) if width > 0 else str(cell).rjust(-width)
                        for cell, width in zip(row, widths)).rstrip()


def path_of(url):
    parts = urllib.parse.urlsplit(url)
    return parts.path if parts.path.startswith("/doc/") or parts.path.startswith("/extra/") else url


def show_pages(urls, result, width):
    rows = []
    for at, url in enumerate(urls):
        if result["errors"][at] is None:
            title = (result["titles"][at] or ["-"])[0]
            rows.append((path_of(url), result["statuses"][at], len(result["links"][at]), title))
    rows.sort(key=lambda row: -row[2])
    room = max(20, (width - 16) // 2)
    print("\n".join(table(["PAGE", "STATUS", "LINKS", "TITLE"], rows[:ROWS], [room, -6, -5, room])))
    if len(rows) > ROWS:
        print("… and %d more pages" % (len(rows) - ROWS))
    return rows


def show_dead(urls, result, width):
    # The message names the URL again; the table has it already.
    rows = [(url, error["attempts"], error["message"].partition(url + ": ")[2] or error["message"])
            for url, error in zip(urls, result["errors"]) if error is not None]
    if rows:
        room = max(20, (width - 12) // 2)
        print()
        print("\n".join(table(["DEAD", "TRIED", "WHY"], rows[:ROWS], [room, -5, room])))
    return rows


def show_metrics(before, after, width):
    moved = []
    for name in sorted(after):
        family = name.partition("{")[0]
        if family in METRICS and after[name] != before.get(name, 0):
            moved.append((name, before.get(name, 0), after[name]))
    print()
    room = max(40, width - 26)
    number = lambda value: "%d" % value if value == int(value) else "%.3f" % value
    print("\n".join(table(["METRIC THAT MOVED", "BEFORE", "AFTER"],
                          [(name, number(a), number(b)) for name, a, b in moved], [room, -10, -10])))


def show(facts):
    job = facts["job"]
    if job["state"] != "SUCCEEDED":
        print("%s %s: %s" % (job["name"], job["state"], job.get("error", {}).get("message", "")))
        return
    width = shutil.get_terminal_size((110, 40)).columns
    print()
    good = show_pages(facts["urls"], job["result"], width)
    dead = show_dead(facts["urls"], job["result"], width)
    show_metrics(facts["before"], facts["after"], width)
    print("\n%s %s: %d pages fetched, %d links, %d dead URLs" % (
        job["name"], job["state"], len(good), sum(row[2] for row in good), len(dead)))
