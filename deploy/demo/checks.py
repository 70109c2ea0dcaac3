"""deploy/quickstart --check: asserts on what was gathered, page by page."""
import socket
import urllib.parse

ENOUGH = 200


def listening(url_or_address):
    address = urllib.parse.urlsplit(url_or_address).netloc or url_or_address
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, int(port))) == 0


def delta(facts, prefix):
    return sum(value - facts["before"].get(name, 0) for name, value in facts["after"].items()
               if name.startswith(prefix))


def wrong_titles(facts, result):
    """URLs whose gathered title is not that of the file they were served from."""
    titles = {}
    alive = [at for at in range(len(facts["urls"])) if at not in facts["dead"]]
    for at, page in zip(alive, facts["pages"]):
        expected, got = page.title(), (result["titles"][at] or [None])[0]
        if expected is not None and expected != got:
            titles[facts["urls"][at]] = (expected, got)
    return titles


def checks(facts, stack):
    job = facts["job"]
    yield "the job succeeded", job["state"] == "SUCCEEDED", job.get("error")
    result = job.get("result") or {"statuses": [], "errors": [], "links": [], "titles": []}
    urls, dead = facts["urls"], facts["dead"]
    yield "there is an entry for each URL", len(result["statuses"]) == len(urls), len(result["statuses"])
    fetched = sum(1 for status in result["statuses"] if status == 200)
    yield "at least %d pages were fetched" % ENOUGH, fetched >= ENOUGH, fetched
    failed = {at for at, error in enumerate(result["errors"]) if error is not None}
    yield "just the dead URLs failed", failed == set(dead), sorted(failed ^ set(dead))
    yield ("each failure says why, and how often it was tried",
           all(error is None or (error["message"] and error["attempts"] >= 1)
               for error in result["errors"]), result["errors"])
    refused = [result["errors"][at]["attempts"] for at, why in dead.items() if why != "404" and at in failed]
    yield "what may come back was tried three times", refused and set(refused) == {3}, refused
    missing = [result["errors"][at]["attempts"] for at, why in dead.items() if why == "404" and at in failed]
    yield "what is gone was tried once", missing and set(missing) == {1}, missing
    wrong = wrong_titles(facts, result)
    yield "every title is that of its file", not wrong and facts["pages"], list(wrong.items())[:5]
    links = sum(len(page) for page in result["links"])
    yield "links were found", links > 1000, links
    stage = {stage["name"]: stage for stage in job["stages"]}.get("fetch", {})
    yield "the job counted its calls", (stage.get("done"), stage.get("failed")) == (
        len(urls), len(dead)), stage
    ended = delta(facts, 'fermata_jobs_finished_total{pipeline="scrape",state="SUCCEEDED"}')
    yield "the metrics counted one job", ended == 1, ended
    attempts = delta(facts, 'fermata_stage_attempts_total{pipeline="scrape",stage="fetch"')
    yield "the metrics counted the attempts", attempts >= len(urls), attempts
    if not stack.keep:
        left = [name for name, process in stack.processes.items() if process.poll() is None]
        yield "everything that was started has stopped", not left, left
        code = stack.processes["fermatad"].returncode
        yield "fermatad ended well", code == 0, code
        ports = [url for url in (stack.address, stack.metrics_url, stack.web) if url and listening(url)]
        yield "nobody listens any more", not ports, ports


def run(facts, stack):
    """Prints each check; the exit code."""
    passed = failed = 0
    print()
    for name, good, seen in checks(facts, stack):
        if good:
            passed += 1
            print("PASSED %s" % name)
        else:
            failed += 1
            print("FAILED %s: %s" % (name, str(seen)[:500]))
    print("%d passed, %d failed" % (passed, failed))
    return 0 if passed and not failed else 1
