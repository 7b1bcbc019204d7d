"""How often signing in may fail: counted by address and by name.

Kept in the memory of the web process, not in the database: guesses beyond the limit then cost no writes, and fill no
audit log, which has those up to it. Each web process counts for itself and forgets when it starts again, which is
enough beside argon2: four processes let 40 guesses through in a quarter of an hour instead of 10.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock

WINDOW = 15 * 60.0  # seconds
MOST_KEYS = 20_000  # a flood of made-up names can't fill the memory: the oldest are forgotten


class Attempts:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.failures: OrderedDict[str, deque[float]] = OrderedDict()
        self.lock = Lock()

    def wait(self, keys: tuple[str, ...], limit: int) -> float:
        """Seconds until another try is allowed; 0 when it is now."""
        with self.lock:
            return max(self._wait(key, limit) for key in keys)

    def _wait(self, key: str, limit: int) -> float:
        failures = self.failures.get(key, deque())
        while failures and failures[0] <= self.clock() - WINDOW:
            failures.popleft()
        return failures[-limit] + WINDOW - self.clock() if len(failures) >= limit else 0.0

    def note_failure(self, keys: tuple[str, ...]) -> None:
        with self.lock:
            for key in keys:
                self.failures.setdefault(key, deque(maxlen=1000)).append(self.clock())
                self.failures.move_to_end(key)
            while len(self.failures) > MOST_KEYS:
                self.failures.popitem(last=False)

    def forget(self, key: str) -> None:
        """The right password clears the name, not the address: one good account must not open the door to guessing."""
        with self.lock:
            self.failures.pop(key, None)


attempts = Attempts()
