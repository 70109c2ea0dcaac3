"""A web server to fetch from: pages with links, and every way in which a page can be bad."""
import asyncio
import threading


class WebServer:
    """with WebServer(pages={"/a": b"<html>..."}) as web: web.url("/a")

    Other paths: /status/NNN answers that code; /slow never answers; /flaky/N answers 503 the first N
    times; /gate holds every request until `gate` of them are there, and then answers all. With
    `together`, pages are held too, until that many requests are there for the first time.
    """

    def __init__(self, pages=None, gate=1, together=1):
        self.pages = pages or {}
        self.together = together
        self.requests = 0
        self.now = 0
        self.most_at_once = 0
        self.gate_size = gate
        self._flaky = {}
        self._waiting = 0

    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.port, path)

    def __enter__(self):
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self, started):
        asyncio.run(self._serve(started))

    async def _serve(self, started):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._gate = asyncio.Event()
        self._together = asyncio.Event()
        self._tasks = set()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, backlog=2048)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _client(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                self.requests += 1
                self.now += 1
                self.most_at_once = max(self.most_at_once, self.now)
                try:
                    code, body = await self._answer(path)
                finally:
                    self.now -= 1
                writer.write(b"HTTP/1.1 %d X\r\nContent-Type: text/html; charset=utf-8\r\n"
                             b"Content-Length: %d\r\n\r\n%s" % (code, len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, path):
        if path in self.pages:
            if self.now >= self.together:
                self._together.set()
            await self._together.wait()
            return 200, self.pages[path]
        if path.startswith("/status/"):
            return int(path.rpartition("/")[2]), b"as you like"
        if path == "/slow":
            await asyncio.Event().wait()
        if path.startswith("/flaky/"):
            self._flaky[path] = self._flaky.get(path, 0) + 1
            return (503, b"busy") if self._flaky[path] <= int(path.rpartition("/")[2]) else (200, b"ok")
        if path.startswith("/gate"):
            self._waiting += 1
            if self._waiting >= self.gate_size:
                self._gate.set()
            await self._gate.wait()
            return 200, b"through"
        return 404, b"not here"
