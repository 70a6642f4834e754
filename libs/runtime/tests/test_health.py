"""Live and ready as a probe outside the process sees them."""

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from deskstream.runtime.health import Health


@pytest.fixture
async def health():
    health = Health("shop", frozen_after=0.8, check_within=0.2)
    yield health
    await health.stop()


def probe(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


async def ask(port, path):
    return await asyncio.to_thread(probe, port, path)


async def fine():
    return None


async def lagging():
    return "4,000 messages behind"


async def broken():
    raise ConnectionError("refused")


async def hanging():
    await asyncio.Event().wait()


async def test_a_process_whose_checks_are_fine_is_live_and_ready(health):
    health.add("database", fine)
    port = await health.serve("127.0.0.1", 0)
    for path in ("/live", "/ready", "/ready?verbose"):
        assert await ask(port, path) == (200, {"name": "shop", "ok": True, "wrong": {}})


async def test_readiness_names_everything_that_is_wrong_and_nothing_else(health):
    for check in (fine, lagging, broken, hanging):
        health.add(check.__name__, check)
    port = await health.serve("127.0.0.1", 0)
    status, answer = await ask(port, "/ready")
    assert status == 503
    assert answer["wrong"] == {
        "lagging": "4,000 messages behind",
        "broken": "ConnectionError: refused",
        "hanging": "no answer within 0.2 s",
    }
    assert (await ask(port, "/live"))[0] == 200


async def test_a_frozen_loop_is_neither_live_nor_ready(health):
    health.add("database", fine)
    port = await health.serve("127.0.0.1", 0)
    answers: dict[str, tuple[int, dict[str, Any]]] = {}

    def outside():
        time.sleep(1.5)
        answers.update(live=probe(port, "/live"), ready=probe(port, "/ready"))

    watcher = threading.Thread(target=outside)
    watcher.start()
    watcher.join()  # without await: for the event loop this is a freeze
    assert answers["live"][0] == answers["ready"][0] == 503
    assert "stood still" in answers["live"][1]["wrong"]["event loop"]
    await asyncio.sleep(0)
    assert (await ask(port, "/live"))[0] == 200


async def test_however_many_ask_the_checks_run_once_a_second(health):
    runs = []

    async def counted():
        runs.append(1)

    health.add("counted", counted)
    port = await health.serve("127.0.0.1", 0)
    await asyncio.gather(*(ask(port, "/ready") for _ in range(10)))
    assert len(runs) == 1


async def test_another_path_says_what_may_be_asked(health):
    port = await health.serve("127.0.0.1", 0)
    assert await ask(port, "/") == (404, {"ask": ["/live", "/ready"]})


async def test_after_stop_nobody_answers(health):
    port = await health.serve("127.0.0.1", 0)
    await health.stop()
    with pytest.raises(urllib.error.URLError, match="refused"):
        await ask(port, "/live")
