"""Named points at which a test can have this process killed, as a power cut would."""

import os
import signal
from typing import Final

ENVIRONMENT: Final = "DESKSTREAM_FAILPOINT"
"""`<service>:<point>:<count>`: kill -9 when that service reaches that point for the count-th time."""

POINTS: Final = ("in_transaction", "before_commit", "after_commit", "before_publish", "during_publish", "before_ack")


class FailPoints:
    """Counts how often each point was reached; without the environment variable `reach` does nothing."""

    def __init__(self, service: str, setting: str | None = None) -> None:
        wanted = (os.environ.get(ENVIRONMENT) if setting is None else setting) or "::"
        whose, self._point, count = wanted.split(":")
        self._armed = whose == service
        self._left = int(count or 1)

    def reach(self, point: str) -> None:
        """Dies here if this is the point, service and count that were asked for."""
        if self._armed and point == self._point:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
