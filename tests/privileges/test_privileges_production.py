"""P14, O7: all services, an adapter and the operator's commands on what is written for production."""

import asyncio
import json
import smtplib
import ssl
from contextlib import contextmanager
from email.message import EmailMessage

import httpx
import nats
import pytest

from deskstream.messaging.permissions import OPERATOR, inbox_prefix
from deskstream.runtime.embedded.processes import free_port
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.reach import reach_of
from deskstream.runtime.schemas import installed_services
from deskstream.runtime.settings import RuntimeSettings
from tests.privileges.production import Desk, Written, database, when
from tests.scenarios.pager import install, needs_node, running

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

SERVICES = sorted(installed_services())
TOKEN = "token-of-a-desk-in-production"
PAGE = {"event": "paged", "id": "p-1", "from": "probe-3", "name": "Probe", "subject": "Disk full", "text": "97 %"}
NOBODY = {"event": "paged", "id": "p-2", "subject": "Who is it?", "text": "?"}
OPERATORS = {
    "tail --since beginning --count 3": "CONV-1",
    "tail --since beginning --wire --until-idle 1": "email/message",
    "reconcile": "streams and journals fit.",
    "dead-letters list": "No dead letters",
    "why CONV-1": "CONV-1",
    "chain TKT-1": "CONV-1",
    "provision --check": "are as they should be",
    "migrate --check": "up to date",
}
"""What whoever runs the desk asks it, and a word of the answer."""
DENIALS = ("violation", "authorization error", "tls handshake error")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A broker on what is written, for who tries to get in."""
    written = Written(tmp_path_factory.mktemp("door"))
    written.write()
    with written.broker():
        yield written


@pytest.fixture
def open_desk(tmp_path):
    """`with open_desk(services) as desk:` as docs/how-to/grant-permissions.md says it, a process for each service."""

    @contextmanager
    def opened(services):
        files = Written(tmp_path)
        files.write()
        http, smtp = free_port(), free_port()
        told = {
            "DESKSTREAM_THREAD_SECRET": "thread-secret-of-production",
            "DESKSTREAM_GATEWAY_TOKEN": TOKEN,
            "DESKSTREAM_GATEWAY_LISTEN": f"127.0.0.1:{http}",
            "DESKSTREAM_EMAIL_LISTEN": f"127.0.0.1:{smtp}",
            "DESKSTREAM_EMAIL_MAILDIR": str(files.folder / "maildir"),
            "DESKSTREAM_CONVERSATION_UNDO_SECONDS": "0",
        }
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Agent": "anna"}
        with (
            files.broker(),
            database(files.folder, files.folder / "made/postgres/roles.sql") as postgres,
            httpx.Client(base_url=f"http://127.0.0.1:{http}", headers=headers) as api,
            Desk(files, postgres, told, api, smtp) as desk,
        ):
            desk.deskstream("migrate")
            desk.deskstream("provision", "--wait", "20")
            desk.start(*services)
            yield desk

    return opened


def test_p14_o7_all_services_and_the_operator_work_with_what_is_written(open_desk):
    with open_desk(SERVICES) as desk:
        a_mail_travels_in_and_its_answer_out(desk)
        a_ticket_is_opened_and_told_to_its_conversation(desk)
        the_doctor_finds_nothing_to_mend(desk)
        for arguments, told in OPERATORS.items():
            assert told in desk.deskstream(*arguments.split()), arguments
        nobody_tried_what_he_may_not(desk)


def shown(desk, name, holds):
    """The conversation as soon as something holds."""

    def look():
        answer = desk.api.get(f"/api/conversations/{name}")
        return answer.json() if answer.is_success and holds(answer.json()) else None

    return when(look, f"what is awaited of {name}")


def deliveries(page):
    return [entry["delivery"]["state"] for entry in page["timeline"] if entry["delivery"]]


def a_mail_travels_in_and_its_answer_out(desk):
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ada <ada@acme.example>", "support@example.org"
    mail["Subject"], mail["Message-ID"] = "The export stops", "<export-1@acme.example>"
    mail.set_content("At 40 %.")
    with smtplib.SMTP("127.0.0.1", desk.smtp_port, timeout=10) as client:
        client.send_message(mail)
    page = shown(desk, "CONV-1", lambda it: it["clocks"] and it["decisions"])
    assert (page["contact"]["email"], page["stage"]) == ("ada@acme.example", "new")

    reply = {"text": "It is fixed.", "last_seen": page["version"]}
    assert desk.api.post("/api/conversations/CONV-1/replies", json=reply).status_code == 202
    shown(desk, "CONV-1", lambda it: deliveries(it) == ["sent"])
    [sent] = (desk.written.folder / "maildir/new").iterdir()
    assert "It is fixed." in sent.read_text()


def a_ticket_is_opened_and_told_to_its_conversation(desk):
    opened = desk.api.post("/api/conversations/CONV-1/tickets", json={"title": "The export stops"})
    assert opened.status_code == 201, opened.text
    shown(desk, "CONV-1", lambda it: [one["number"] for one in it["tickets"]] == [1])


@needs_node
async def test_p14_n1_an_adapter_is_let_in_while_services_run(open_desk, tmp_path):
    installed = await asyncio.to_thread(install, tmp_path)
    with open_desk(["ingest", "crm", "conversation", "gateway"]) as desk:
        await asyncio.to_thread(add_pager, desk)
        async with running(installed, itself(desk)) as pager:
            await pager.tell(PAGE)
            assert await pager.says("accepted") == ["accepted CONV-1"]
            await pager.tell(NOBODY)
            await pager.says("rejected: sender.email missing")
            page = await asyncio.to_thread(shown, desk, "CONV-1", lambda it: it["channel"] == "pager")
            reply = {"text": "Delete the old dumps.", "last_seen": page["version"]}
            assert desk.api.post("/api/conversations/CONV-1/replies", json=reply).status_code == 202
            assert await pager.says("reply") == ["reply to probe-3: Delete the old dumps."]
            await asyncio.to_thread(shown, desk, "CONV-1", lambda it: deliveries(it) == ["delivered"])
        nobody_tried_what_he_may_not(desk)


def itself(desk):
    """As whom the adapter comes, and by what it knows the broker."""
    own = Credentials(desk.written.give("channel_pager"))
    return {
        "DESKSTREAM_NATS_URL": desk.written.nats_url,
        "DESKSTREAM_NATS_SEED_FILE": str(own.seed_file("channel_pager")),
        "DESKSTREAM_NATS_TLS_CA_FILE": str(own.authority_file),
        "DESKSTREAM_NATS_TLS_CERT_FILE": str(own.certificate_file("channel_pager")),
        "DESKSTREAM_NATS_TLS_KEY_FILE": str(own.key_file("channel_pager")),
    }


def add_pager(desk):
    """As a change of declarations is brought to servers that run; only who decides about replies is told anew."""
    before = {name: process.pid for name, process in desk.running.items()}
    desk.written.channels = "pager"
    report = desk.written.write()
    assert "credentials/channel_pager.seed" in report["made"]
    assert {"nats/nats.conf", "nats/keys.conf"} <= set(report["written"])
    desk.written.restart_broker()
    desk.deskstream("provision")
    desk.stop("conversation")
    desk.start("conversation")
    assert {name for name, process in desk.running.items() if process.pid != before[name]} == {"conversation"}


def the_doctor_finds_nothing_to_mend(desk):
    report = json.loads(desk.deskstream("doctor", "--json"))
    told = {finding["check"]: finding for finding in report["findings"]}
    assert [finding for finding in report["findings"] if finding["level"] != "fine"] == []
    assert told["services"]["sentence"].startswith(f"All {len(SERVICES)} answer and are ready")
    assert told["NATS permissions"]["sentence"].startswith("operator may do what it should")
    assert told["PostgreSQL permissions"]["sentence"].startswith(f"{len(SERVICES)} roles")


def nobody_tried_what_he_may_not(desk):
    assert [
        line for line in desk.written.broker_log.splitlines() if any(word in line.lower() for word in DENIALS)
    ] == []
    said = {name: [line["event"] for line in desk.said(name)] for name in desk.running}
    assert all("ready" in events for events in said.values())
    assert {name: events for name, events in said.items() if "denied_by_broker" in events} == {}


async def test_p14_the_broker_has_the_keys_of_production(door):
    client = await connected(door)
    assert (await client.jsm().account_info()).limits.max_storage == -1
    assert client.max_payload == 128 * 1024
    await client.close()


@pytest.mark.parametrize(
    "without",
    [pytest.param("certificate", id="without a certificate"), pytest.param("seed", id="without a seed"),
     pytest.param("authority", id="trusting another authority")],
)  # fmt: skip
async def test_p14_production_lets_nobody_in(door, without):
    with pytest.raises((nats.errors.Error, OSError)):
        await connected(door, without)


async def connected(written, without=""):
    """As the operator, with everything that it takes but one thing."""
    own = Credentials(written.give(OPERATOR))
    reach = reach_of(RuntimeSettings(nats_url=written.nats_url, credentials=own.folder))
    context = {
        "certificate": ssl.create_default_context(cafile=own.authority_file), "authority": ssl.create_default_context()
    }.get(without, reach.tls)  # fmt: skip
    return await nats.connect(
        reach.servers, nkeys_seed_str=None if without == "seed" else reach.seed, tls=context, allow_reconnect=False,
        connect_timeout=2, inbox_prefix=inbox_prefix(OPERATOR), error_cb=_quietly,
    )  # fmt: skip


async def _quietly(error):
    return None
