"""Which URLs to scrape: the HTML documentation that this machine's packages bring, and dead ones."""
import html
import itertools
import os
import re
import socket
import subprocess

ENOUGH = 200
MOST = 400
# Far below what http/get takes for one body: a manual in one page of many MiB is refused, rightly.
MAX_BYTES = 1 << 20
DOC = "/usr/share/doc"
# Brought in when a machine is set up not to keep documentation, as container images are.
EXTRA = "git-doc"


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME", "/var/tmp"), ".cache")
    return os.path.join(base, "fermata-quickstart")


def html_files(root):
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.endswith((".html", ".htm")) and os.path.isfile(path) and os.access(path, os.R_OK):
                yield path


def unpack_extra():
    """The documentation package below the cache folder, as apt-get would unpack it; None offline."""
    folder = os.path.join(cache_folder(), EXTRA)
    root = os.path.join(folder, "root")
    if not os.path.isdir(root):
        os.makedirs(folder, exist_ok=True)
        got = subprocess.run(["apt-get", "download", "-qq", EXTRA], cwd=folder, check=False,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        packages = [name for name in os.listdir(folder) if name.endswith(".deb")]
        if got.returncode or not packages:
            return None
        subprocess.run(["dpkg-deb", "-x", packages[0], root + ".new"], cwd=folder, check=True)
        os.rename(root + ".new", root)
    return root


class Page:
    """One file, and the path under which the web server has it."""

    def __init__(self, file, path):
        self.file = file
        self.path = path

    def title(self):
        """Its <title> as a browser would show it; None when it has none."""
        with open(self.file, "rb") as source:
            data = source.read()
        found = re.search(rb"<title[^>]*>(.*?)</title>", data, re.S | re.I)
        if not found:
            return None
        text = found.group(1)
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError:
            text = text.decode("latin-1")
        return " ".join(html.unescape(text).split())


def find_pages():
    """At most MOST pages, from as many packages as there are."""
    by_package = {}
    roots = [(DOC, "/doc")]
    found = sum(1 for _ in itertools.islice(html_files(DOC), ENOUGH))
    if found < ENOUGH:
        extra = unpack_extra()
        if extra:
            roots.append((extra, "/extra"))
    for root, prefix in roots:
        for file in html_files(root):
            if os.path.getsize(file) > MAX_BYTES:
                continue
            path = prefix + file[len(root):]
            by_package.setdefault(path.split("/")[2], []).append(Page(file, path))
    # One page of each package in turn, so that one big package does not make up all of them.
    turns = itertools.zip_longest(*(by_package[name] for name in sorted(by_package)))
    pages = [page for turn in turns for page in turn if page is not None]
    return pages[:MOST]


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def with_dead_ones(web, pages):
    """(all URLs, {index of a dead one: why}), the dead ones spread between the others."""
    urls = [web + quote(page.path) for page in pages]
    dead_urls = [(web + "/missing-%d.html" % n, "404") for n in range(5)]
    dead_urls += [(web + "/busy/%d" % n, "503") for n in range(3)]
    dead_urls += [("http://127.0.0.1:%d/" % closed_port(), "nobody listens") for _ in range(2)]
    step = max(1, len(urls) // len(dead_urls))
    dead = {}
    for n, (url, why) in enumerate(dead_urls):
        at = n * (step + 1)
        urls.insert(at, url)
        dead[at] = why
    return urls, dead


def quote(path):
    from urllib.parse import quote as percent  # pylint: disable=import-outside-toplevel
    return percent(path)
