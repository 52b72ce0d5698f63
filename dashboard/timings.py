"""What this process did since it began: how long its queries took, what became of its pages, who is connected."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: how long a query may take and still be counted with those as quick."""


class Histogram:
    """Durations in seconds, counted by bounds as Prometheus does; safe to share among threads."""

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self.bounds = tuple(bounds)
        self.sum = 0.0
        self._counts = [0] * (len(self.bounds) + 1)
        self._lock = threading.Lock()

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count what takes place inside, whether it ends well or not."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(time.perf_counter() - began)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        with self._lock:
            self._counts[bisect_left(self.bounds, seconds)] += 1
            self.sum += seconds

    def read(self) -> tuple[list[tuple[float, int]], int, float]:
        """Give how many took at most each bound, how many there are, and their sum, all of one moment."""
        with self._lock:
            up_to = list(accumulate(self._counts))
            return list(zip(self.bounds, up_to, strict=False)), up_to[-1], self.sum


class Tally:
    """Things counted by their labels; safe to share among threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._lock = threading.Lock()

    def add(self, *labels: str, by: int = 1) -> None:
        """Count one thing."""
        with self._lock:
            self._counts[labels] += by

    def read(self) -> dict[tuple[str, ...], int]:
        """Give the counts of one moment, in order of their labels."""
        with self._lock:
            return dict(sorted(self._counts.items()))


QUERIES = Histogram()
"""Queries of the warehouse, those of *Ask the data* apart: they are answered by processes of their own."""
PAGES = Tally()
"""Pages by file name and by what became of them: `drawn` or `failed`."""
CONNECTED = Tally()
"""Browsers that hold a connection now; without labels."""
