"""The child process: reads one mail after the other from stdin, under limits the kernel enforces.

In: 4 bytes of length, the mail. Out: 4 bytes of length, JSON, then the files' bytes in the order the JSON lists them.
Anything unforeseen ends the process; its parent starts another.
"""

import json
import resource
import signal
import struct
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from deskstream.channel_email.parse.parsed import Unreadable
from deskstream.channel_email.parse.read import read_mail

CPU_SECONDS = 2.0
MEMORY_BYTES = 256 * 1024 * 1024

# After a big mail the memory is in pieces, and the next big one might not fit any more.
RETIRE_AFTER_BYTES = 1024 * 1024
RETIRE_AFTER_MAILS = 1_000

_LENGTH = struct.Struct("!I")


def main() -> None:
    """Answers until stdin ends, or until it is time for a fresh process."""
    _limit()
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    for _ in range(RETIRE_AFTER_MAILS):
        raw = _take(stdin)
        if raw is None:
            return
        size = len(raw)
        # The kernel ends the process by SIGPROF: no code of a mail's making can be in its way.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        header, contents = _answer(raw)
        del raw
        signal.setitimer(signal.ITIMER_PROF, 0)
        stdout.write(_LENGTH.pack(len(header)) + header)
        for content in contents:
            stdout.write(content)
        stdout.flush()
        if size > RETIRE_AFTER_BYTES:
            return


def _answer(raw: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    try:
        read = read_mail(raw)
        return _json(asdict(read.mail)), read.contents
    except Unreadable as error:
        return _json({"code": error.code, "sentence": error.sentence}), ()
    except MemoryError:
        return _json({"code": "too_much_memory", "sentence": "It takes too much memory to read."}), ()


def _json(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _take(stdin: BinaryIO) -> bytes | None:
    length = stdin.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(length)
    raw = stdin.read(size)
    return raw if len(raw) == size else None


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # The terminal's Ctrl-C is for the parent, which then closes stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
