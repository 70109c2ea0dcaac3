"""R9 of suite R for asyncio, and with --uvloop for uvloop: lock and unlock, alone and with a rival."""
import asyncio
import json
import sys
import time


async def alone(times):
    lock = asyncio.Lock()
    start = time.perf_counter()
    for _ in range(times):
        async with lock:
            pass
    return time.perf_counter() - start


async def hold_across_turns(lock, times):
    for _ in range(times):
        async with lock:
            await asyncio.sleep(0)


async def rivals(times):
    lock = asyncio.Lock()
    start = time.perf_counter()
    await asyncio.gather(*[hold_across_turns(lock, times // 2) for _ in range(2)])
    return time.perf_counter() - start


async def r9():
    n, contended = 500000, 100000
    seconds = await alone(n)
    contended_seconds = await rivals(contended)
    print(json.dumps({"test": "R9", "n": n, "ns": seconds / n * 1e9,
                      "contended_ns": contended_seconds / contended * 1e9}))


def main():
    if "--uvloop" in sys.argv:
        sys.argv.remove("--uvloop")
        import uvloop
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if sys.argv[1:2] != ["R9"]:
        sys.exit("only R9")
    asyncio.run(r9())


if __name__ == "__main__":
    main()
