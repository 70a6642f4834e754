"""The suite that every adapter is held against, whatever it is written in: payloads in, laws on what comes out."""

from deskstream.testkit.conformance.recorded import Absent, NotRecorded, Payload, Recorded, Topic, read_recorded
from deskstream.testkit.conformance.suite import Adapter, Answer, Report, hold

__all__ = [
    "Absent",
    "Adapter",
    "Answer",
    "NotRecorded",
    "Payload",
    "Recorded",
    "Report",
    "Topic",
    "hold",
    "read_recorded",
]
