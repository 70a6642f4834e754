"""Putting a broker back to how a test found it, over the bare NATS protocol."""

from __future__ import annotations

import json
import socket
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

_INBOX = "_INBOX.deskstream-testkit"
_TIMEOUT = 10.0


def stream_names(url: str) -> set[str]:
    """The streams of the broker at `url`."""
    with BareBroker(url) as broker:
        return broker.stream_names()


def delete_streams(url: str, *, but: set[str]) -> None:
    """Delete every stream that is not named in `but`, with all that hangs on it."""
    with BareBroker(url) as broker:
        for name in broker.stream_names() - but:
            broker.ask(f"$JS.API.STREAM.DELETE.{name}")


class BareBroker:
    """One connection, one question at a time. Only the messaging library may use a NATS client."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._login = {"user": unquote(parts.username or ""), "pass": unquote(parts.password or "")}
        self._socket = socket.create_connection((parts.hostname, parts.port or 4222), timeout=_TIMEOUT)
        self._lines: BinaryIO = self._socket.makefile("rb")

    def __enter__(self) -> BareBroker:
        self._lines.readline()
        login = {"verbose": False, **{name: value for name, value in self._login.items() if value}}
        self._say(f"CONNECT {json.dumps(login)}\r\nSUB {_INBOX} 1\r\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def stream_names(self) -> set[str]:
        """The names of all streams."""
        names: set[str] = set()
        while page := self.ask("$JS.API.STREAM.NAMES", offset=len(names)).get("streams"):
            names.update(page)
        return names

    def ask(self, subject: str, **question: object) -> dict[str, Any]:
        """Send a question as JSON; the answer. Raises RuntimeError when it is an error."""
        body = json.dumps(question)
        self._say(f"PUB {subject} {_INBOX} {len(body)}\r\n{body}\r\n")
        answer: dict[str, Any] = json.loads(self._answer())
        if error := answer.get("error"):
            raise RuntimeError(f"{subject}: {error}")
        return answer

    def _answer(self) -> bytes:
        while line := self._lines.readline():
            word, *rest = line.split()
            if word == b"MSG":
                return self._lines.read(int(rest[-1]) + 2)
            if word == b"PING":
                self._say("PONG\r\n")
            elif word == b"-ERR":
                break
        raise RuntimeError(f"The broker ended the conversation: {line!r}")

    def _say(self, text: str) -> None:
        self._socket.sendall(text.encode())
