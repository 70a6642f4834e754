"""Alive and ready, told over HTTP by a thread that sees the event loop from outside."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias, TypeVar

Told = TypeVar("Told")

Page: TypeAlias = Callable[[], tuple[str, bytes]]
"""Makes a page, in the thread that serves it: media type and content."""

Check: TypeAlias = Callable[[], Awaitable[str | None]]
"""Answers None when all is well, else what is wrong in one sentence; raising counts as wrong too."""

_BEAT = 0.5
# A probe writes and publishes: nobody may make us do that more often, however many ask.
_ANSWER_KEPT = 1.0


class Health:
    """Health of one process.

    `/live` is 200 while the event loop turns, 503 once it has stood still for `frozen_after` seconds.
    `/ready` runs all checks at once: 200 when each is fine, else 503 with a sentence for each that is not, or
    that took longer than `check_within` seconds.
    """

    def __init__(self, name: str, *, frozen_after: float = 10.0, check_within: float = 3.0) -> None:
        self._name = name
        self._frozen_after = frozen_after
        self._check_within = check_within
        self._checks: dict[str, Check] = {}
        self._pages: dict[str, Page] = {}
        self._beat_at = time.monotonic()
        self._answer: tuple[float, dict[str, str]] | None = None
        self._one_at_a_time = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beating: asyncio.Task[None] | None = None
        self._server: ThreadingHTTPServer | None = None

    def add(self, name: str, check: Check) -> None:
        """Let readiness depend on one more thing; `name` is its key in the answer."""
        self._checks[name] = check

    def add_page(self, path: str, page: Page) -> None:
        """Answer one more path."""
        self._pages[path] = page

    async def serve(self, host: str, port: int) -> int:
        """Answer on `host:port` until `stop`; 0 takes a free port. Returns the port. Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self._beat_at = time.monotonic()
        self._beating = self._loop.create_task(self._beat(), name="health heartbeat")
        self._server = ThreadingHTTPServer((host, port), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="health", daemon=True).start()
        return self._server.server_port

    async def stop(self) -> None:
        """Stop answering."""
        if self._beating:
            self._beating.cancel()
        if self._server:
            # The thread may be waiting for a check on this loop, so the loop must go on turning.
            await asyncio.to_thread(self._server.shutdown)
            self._server.server_close()

    @property
    def stalled_for(self) -> float:
        """Seconds since the event loop last turned."""
        return time.monotonic() - self._beat_at

    def live(self) -> dict[str, str]:
        """What is wrong with the event loop; nothing when it turns. May be called from any thread."""
        age = self.stalled_for
        return {"event loop": f"stood still for {age:.0f} s"} if age > self._frozen_after else {}

    async def ready(self) -> dict[str, str]:
        """What is wrong, by the name of the check; nothing when this process can do its work."""
        answers = await asyncio.gather(*(self._ask(check) for check in self._checks.values()))
        return {name: answer for name, answer in zip(self._checks, answers, strict=True) if answer}

    def response(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, media type and body for a path. Called from the threads that serve."""
        if page := self._pages.get(path.partition("?")[0]):
            return HTTPStatus.OK, *page()
        status, content = self.answer(path)
        return status, "application/json", json.dumps(content).encode()

    def answer(self, path: str) -> tuple[HTTPStatus, dict[str, object]]:
        """Status and content for a path."""
        match path.partition("?")[0]:
            case "/live":
                wrong = self.live()
            case "/ready":
                wrong = self.live() or self.ready_from_outside()
            case _:
                return HTTPStatus.NOT_FOUND, {"ask": ["/live", "/ready", *self._pages]}
        status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
        return status, {"name": self._name, "ok": not wrong, "wrong": wrong}

    async def _beat(self) -> None:
        while True:
            self._beat_at = time.monotonic()
            await asyncio.sleep(_BEAT)

    async def _ask(self, check: Check) -> str | None:
        try:
            return await asyncio.wait_for(check(), timeout=self._check_within)
        except TimeoutError:
            return f"no answer within {self._check_within:g} s"
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def ready_from_outside(self) -> dict[str, str]:
        """What `ready` says, asked from another thread, at most once a second."""
        with self._one_at_a_time:
            if self._answer and time.monotonic() - self._answer[0] < _ANSWER_KEPT:
                return self._answer[1]
            wrong = self._ask_the_loop()
            self._answer = (time.monotonic(), wrong)
            return wrong

    def _ask_the_loop(self) -> dict[str, str]:
        wrong = self.from_outside(self.ready(), within=self._check_within + 1)
        return {"event loop": "too busy to run the checks, or closed"} if wrong is None else wrong

    def from_outside(self, work: Coroutine[Any, Any, Told], *, within: float) -> Told | None:
        """What the event loop makes of this, asked from another thread; None when it does not in time."""
        assert self._loop is not None, "asked before serve()"
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            return None
        try:
            return future.result(timeout=within)
        except (TimeoutError, CancelledError):
            future.cancel()
            return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        health = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:  # the name http.server looks for
                status, media_type, body = health.response(self.path)
                with suppress(ConnectionError):
                    self.send_response(status)
                    self.send_header("Content-Type", media_type)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
                pass

        return Handler
