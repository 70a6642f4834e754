"""The rules of ingest: what became of a message, its thread, who is known there, what looks like spam."""

from deskstream.ingest.domain.filing import REUSED, Known, Original, Wanted, file_batch, wanted
from deskstream.ingest.domain.found import (
    Arrived,
    Breach,
    Broken,
    Doubled,
    Fate,
    Found,
    Incoming,
    Repeated,
    Reported,
    fate_of,
)
from deskstream.ingest.domain.keys import message_key, thread_key
from deskstream.ingest.domain.thread import Joined, Thread, decide, evolve

__all__ = [
    "REUSED",
    "Arrived",
    "Breach",
    "Broken",
    "Doubled",
    "Fate",
    "Found",
    "Incoming",
    "Joined",
    "Known",
    "Original",
    "Repeated",
    "Reported",
    "Thread",
    "Wanted",
    "decide",
    "evolve",
    "fate_of",
    "file_batch",
    "message_key",
    "thread_key",
    "wanted",
]
