"""N1: the pager of examples/, an adapter in JavaScript, on a desk that really runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.privileges.guard import VARIABLE
from tests.scenarios.pager import EXAMPLE, install, needs_node, running

PAGE = {"event": "paged", "id": "p-1", "from": "probe-3", "name": "Probe", "subject": "Disk full", "text": "97 %"}
NOBODY = {"event": "paged", "id": "p-3", "subject": "Who is it?", "text": "?"}

pytestmark = [needs_node, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return install(tmp_path_factory.mktemp("pager"))


@pytest.fixture
def adapter(installed, nats_url):
    """`async with adapter() as pager:` runs it; leaving kills it."""
    return lambda: running(installed, {"DESKSTREAM_NATS_URL": nats_url} | itself())


def itself():
    """On the tests' own broker the adapter may do what an adapter may, and no more."""
    folder = os.environ.get(VARIABLE)
    return {"DESKSTREAM_NATS_SEED_FILE": str(Credentials(Path(folder)).seed_file("channel_pager"))} if folder else {}


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_EXTRA_CHANNELS", "pager")


def test_n1_an_adapter_is_twenty_lines_and_knows_no_broker():
    lines = (EXAMPLE / "adapter.js").read_text().splitlines()
    assert len([line for line in lines if line]) <= 20
    assert not [line for line in lines if "nats" in line or len(line) > 120]


@pytest.mark.long
async def test_n1_an_adapter_in_javascript_is_answered_and_delivers(open_desk, adapter):
    async with open_desk() as desk, adapter() as pager:
        await pager.tell(PAGE)
        assert await pager.says("accepted") == ["accepted CONV-1"]
        await pager.tell(PAGE)
        assert await pager.says("duplicate") == ["duplicate"]
        await pager.tell(NOBODY)
        (rejected,) = await pager.says("rejected")
        assert rejected == "rejected: sender.email missing: name one of email, phone, external_id"

        await desk.when("CONV-1", lambda shown: shown, "the conversation")
        await desk.reply("CONV-1", "anna", "Delete the old dumps.")
        assert await pager.says("reply") == ["reply to probe-3: Delete the old dumps."]
        page = await desk.when("CONV-1", lambda shown: deliveries(shown) == ["delivered"], "the report")
        assert (page["channel"], page["inbox"], page["contact"]["name"]) == ("pager", "oncall", "Probe")

        # An answer that names what we sent is of the same conversation.
        (sent,) = [entry["reply"]["id"] for entry in page["timeline"] if entry["kind"] == "reply" and entry["reply"]]
        await pager.tell({"event": "edited", "id": sent, "version": 2, "from": "probe-3", "text": "Done."})
        assert await pager.says("accepted") == ["accepted CONV-1"]
    assert pager.said.count("accepted CONV-1") == 2


@pytest.mark.long
async def test_p1_a_reply_said_while_the_adapter_is_away_is_delivered_when_it_is_back(open_desk, adapter):
    async with open_desk() as desk:
        async with adapter() as pager:
            await pager.tell(PAGE)
            await pager.says("accepted CONV-1")
        await desk.when("CONV-1", lambda shown: shown, "the conversation")
        await desk.reply("CONV-1", "anna", "Delete the old dumps.")
        async with adapter() as pager:
            await pager.says("reply to probe-3: Delete the old dumps.")
            await desk.when("CONV-1", lambda shown: deliveries(shown) == ["delivered"], "the report")


def deliveries(shown):
    return [entry["delivery"]["state"] for entry in shown["timeline"] if entry["delivery"]]


@pytest.mark.long
def test_n8_the_pager_conforms(installed):
    report = conform(installed)
    assert (report["conforms"], report["fails"], list(report["absent"])) == (True, {}, ["signature"])


def conform(folder):
    command = [sys.executable, "-m", "deskstream.cli", "adapter", "conform", folder / "conformance.toml", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)
