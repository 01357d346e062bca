"""Reading ahead in threads, while the caller works on what is read."""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterable[Item], ahead: int = 2) -> Iterator[Item]:
    """Iterate with a thread that prepares the next items while the caller works on one.

    Parameters
    ----------
    items : iterable
        What it raises is raised to the caller, in its place in the order.
    ahead : int
        Items held ready.

    Yields
    ------
    object
        The items in their order.
    """
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(more: bool, value: object) -> None:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((more, value), timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put(True, item)
                if stopped.is_set():
                    return
        except BaseException as error:  # not lost in the thread
            put(False, error)
        else:
            put(False, None)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        more, value = ready.get()
        while more:
            yield value
            more, value = ready.get()
        if value is not None:
            raise value
    finally:
        stopped.set()
        thread.join()


def in_order(tasks: Iterable[Callable[[], Item]], threads: int) -> Iterator[Item]:
    """Do tasks in threads, a few of them ahead of the caller.

    Parameters
    ----------
    tasks : iterable of callable
        What one raises is raised to the caller, in its place in the order.
    threads : int

    Yields
    ------
    object
        What the tasks return, in their order.
    """
    waiting = iter(tasks)
    begun: deque[Future[Item]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            begun.extend(pool.submit(task) for task in islice(waiting, threads + 1))
            while begun:
                done = begun.popleft().result()
                begun.extend(pool.submit(task) for task in islice(waiting, 1))
                yield done
        finally:
            pool.shutdown(cancel_futures=True)
