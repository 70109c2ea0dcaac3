"""The outside world of the crash tests: a web server that remembers which step of which job it did.

GET /step/N/KEY is the only side effect a job has. Every answer is different, so a result says which
request it came from; the order of requests says whether a finished step was ever done again. Step 0
is never answered.
"""
import asyncio
import threading


class WorkServer:
    """with WorkServer(on_request) as work: work.base, then work.requests[key] == [1, 1, 2, ...]

    `on_request()` is called on the server's thread, before the answer goes out.
    """

    def __init__(self, on_request=lambda: None):
        self.requests = {}  # key: the steps that were asked for, in order
        self.answers = {}  # (key, step): the bodies, in order
        self._on_request = on_request

    @property
    def base(self):
        return "http://127.0.0.1:%d" % self._port

    def __enter__(self):
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self, started):
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, backlog=1024)
        self._port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stop.wait()
        server.close()

    async def _client(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _, _, step, key = head.split(b" ", 2)[1].decode().split("/")
                body = self._do(key, int(step)).encode()
                if step == "0":
                    await reader.read()  # until the other side is gone
                    return
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"
                             % (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _do(self, key, step):
        self.requests.setdefault(key, []).append(step)
        bodies = self.answers.setdefault((key, step), [])
        bodies.append("%s.%d.%d" % (key, step, len(bodies) + 1))
        self._on_request()
        return bodies[-1]
