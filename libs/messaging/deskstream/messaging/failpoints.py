"""Named points at which a test can have this process killed, as a power cut would, or stopped, or frozen."""

import os
import signal
import time
from typing import Final

ENVIRONMENT: Final = "DESKSTREAM_FAILPOINT"
"""`<service>:<point>:<count>`: kill -9 when that service reaches that point for the count-th time.

A fourth part does something milder: `term` is the SIGTERM of a graceful stop, `freeze=20` stands still so many seconds.
"""

POINTS: Final = ("in_transaction", "before_commit", "after_commit", "before_publish", "during_publish", "before_ack")

SEND_POINTS: Final = ("send_claimed", "before_send", "after_send", "send_settled")
"""Of a service with a provider: around the call that lets something leave."""


class FailPoints:
    """Counts how often each point was reached; without the environment variable `reach` does nothing."""

    def __init__(self, service: str, setting: str | None = None) -> None:
        wanted = (os.environ.get(ENVIRONMENT) if setting is None else setting) or "::"
        whose, self._point, count, *does = wanted.split(":")
        self._armed = whose == service
        self._left = int(count or 1)
        self._does = does[0] if does else "kill"

    def reach(self, point: str) -> None:
        """Does what was asked for, once, if this is the point, service and count."""
        if self._armed and point == self._point:
            self._left -= 1
            if self._left <= 0:
                self._armed = False
                self._act()

    def _act(self) -> None:
        if self._does.startswith("freeze="):
            # The whole event loop stands still, as with code that computes for ever.
            time.sleep(float(self._does.removeprefix("freeze=")))
        else:
            os.kill(os.getpid(), signal.SIGTERM if self._does == "term" else signal.SIGKILL)
