"""An adapter that is a process of its own, started on a broker with nothing but what it needs."""

from __future__ import annotations

import asyncio
import base64
import hmac
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final

import httpx
import nats
from pydantic_settings import BaseSettings

from deskstream.contracts import subjects
from deskstream.messaging import Declaration, Service
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.channels import adapter_elsewhere
from deskstream.testkit.conformance.laws import Answer
from deskstream.testkit.conformance.recorded import Payload, Run

FORGERIES: Final = ("missing", "wrong", "stale")
STALE_S: Final = 3600
_READY_WITHIN_S: Final = 30.0
_STOP_WITHIN_S: Final = 10.0


class Unreachable(RuntimeError):
    """The adapter does not run, or does not answer; the text says what to look at."""


def silent_conversation() -> Declaration:
    """Stands for the one service that writes what leaves, so that a channel can be provisioned alone; says nothing."""
    return Declaration(
        name=subjects.owner_of(subjects.OUTBOUND),
        settings=BaseSettings,
        build=lambda settings: Service(hears=()),
        migrations=files("deskstream.testkit.sample") / "migrations",
    )


async def prepare_streams(channel: str, nats_url: str) -> None:
    """Makes the streams and the durable that an adapter elsewhere finds on a desk."""
    client = await nats.connect(nats_url)
    await provision(client, topology([silent_conversation(), adapter_elsewhere(channel)]))
    await client.close()


@asynccontextmanager
async def started(run: Run, nats_url: str) -> AsyncIterator[ByLines | ByPosts]:
    """The adapter as the file of recorded cases says how to start it; ended afterwards. Raises Unreachable."""
    environment = {**os.environ, **run.environment, "DESKSTREAM_NATS_URL": nats_url}
    # The broker is open: a seed would be for another one.
    environment.pop("DESKSTREAM_NATS_SEED_FILE", None)
    try:
        process = await asyncio.create_subprocess_exec(
            *run.command, cwd=run.folder, env=environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        raise Unreachable(f"{run.command[0]} cannot be started: {error.strerror}.") from None
    try:
        if run.by == "lines":
            yield ByLines(process)
        else:
            async with httpx.AsyncClient(timeout=_READY_WITHIN_S) as client:
                posts = ByPosts(client, run.by, run.secret)
                await posts.ready(process)
                yield posts
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


class ByLines:
    """Payloads are lines on stdin: nothing is answered, nothing signed."""

    forgeries: Sequence[str] = ()

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def bring(self, payload: Payload, forgery: str = "") -> Answer:
        assert self._process.stdin is not None
        # A line ends at its end; a payload that was written over several is told in one.
        line = b" ".join(payload.content.splitlines())
        try:
            self._process.stdin.write(line + b"\n")
            await self._process.stdin.drain()
        except ConnectionError:
            return Answer(taken=False, told=f"the process has ended with {self._process.returncode}")
        return Answer()

    async def files(self, names: Sequence[str]) -> Mapping[str, bytes] | None:
        return None


class ByPosts:
    """Payloads are posted as JSON; with a secret they are signed as Standard Webhooks says."""

    def __init__(self, client: httpx.AsyncClient, url: str, secret: str) -> None:
        self._client = client
        self._url = url
        self._secret = secret
        self.forgeries: Sequence[str] = FORGERIES if secret else ()

    async def ready(self, process: asyncio.subprocess.Process) -> None:
        """Returns when something listens there. Raises Unreachable."""
        deadline = time.monotonic() + _READY_WITHIN_S
        while True:
            try:
                await self._client.get(self._url)
                return
            except httpx.TransportError as error:
                if process.returncode is not None or time.monotonic() > deadline:
                    raise Unreachable(f"Nothing answers at {self._url}: {error or type(error).__name__}.") from None
            await asyncio.sleep(0.05)

    async def bring(self, payload: Payload, forgery: str = "") -> Answer:
        headers = {"content-type": "application/json"}
        if self._secret:
            headers |= signed(payload.content, self._secret, forgery)
        try:
            answer = await self._client.post(self._url, content=payload.content, headers=headers)
        except httpx.TransportError as error:
            return Answer(taken=False, told=str(error) or type(error).__name__)
        return Answer(taken=answer.is_success, told=f"{answer.status_code} {answer.text[:200]}")

    async def files(self, names: Sequence[str]) -> Mapping[str, bytes] | None:
        return None


def signed(content: bytes, secret: str, forgery: str = "") -> dict[str, str]:
    """The headers of Standard Webhooks 1.0 (`webhook-id`, `-timestamp`, `-signature`), right or forged in one way."""
    if forgery == "missing":
        return {}
    at = int(time.time()) - (STALE_S if forgery == "stale" else 0)
    id_ = f"msg_{hmac.new(b'id', content, 'sha256').hexdigest()[:24]}"
    key = base64.b64decode(secret.removeprefix("whsec_")) if forgery != "wrong" else b"somebody else's"
    signature = base64.b64encode(hmac.new(key, f"{id_}.{at}.".encode() + content, "sha256").digest()).decode()
    return {"webhook-id": id_, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}
