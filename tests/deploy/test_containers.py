"""O2, P1, P11, P20: the whole desk in containers answers a mail, and loses none while everything is restarted."""

import asyncio
import json
import shutil
from email import message_from_string, policy
from email.utils import parseaddr
from functools import partial

import httpx
import pytest
import pytest_asyncio

from deskstream.testkit.eventually import eventually
from tests.deploy.compose import ROOT, SERVERS, docker, project, services
from tests.deploy.customers import Customers, send, written

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(2400)]

CUSTOMERS = 4
UP_WITHIN_S = 240
BASE_IMAGE = "python:3.11-slim-bookworm"
MIB = 1024 * 1024
LARGEST_IMAGE_MIB = 80
"""On top of the base image."""
MOST_MEMORY_MIB = {"channel_email": 130, "gateway": 90}
"""At rest; of every other service 80. Mail has two child processes that read."""


@pytest.fixture(scope="module")
def compose(tmp_path_factory):
    with project(tmp_path_factory.mktemp("compose")) as running:
        yield running
    assert not running.left()


@pytest_asyncio.fixture
async def api(compose):
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{compose.http_port}",
        headers={"Authorization": f"Bearer {compose.token()}", "X-Agent": "anna"},
        timeout=20,
    ) as client:
        yield client


async def up(compose, *names):
    for name in names or services():
        await eventually(partial(asyncio.to_thread, compose.is_up, name), within=UP_WITHIN_S, what=f"a ready {name}")


async def conversation(api, subject):
    """The conversation of that subject, with its timeline, as soon as there is one."""

    async def look():
        answer = await api.get("/api/conversations", params={"limit": 200, "sort": "received"})
        found = [one for one in answer.json()["conversations"] if one["title"] == subject] if answer.is_success else []
        return (await api.get(f"/api/conversations/CONV-{found[0]['number']}")).json() if found else None

    return await eventually(look, within=60, what=f"a conversation {subject!r}")


async def test_a_service_whose_servers_are_late_waits_for_them(compose):
    await asyncio.to_thread(compose, "up", "--detach", "--no-build", "--no-deps", "crm")

    async def says_so():
        log = await asyncio.to_thread(compose.log, "crm")
        return [line for line in log if line["event"] == "waiting_for_database"]

    await eventually(says_so, within=60, what="crm saying what it waits for")
    assert {line["server"] for line in await says_so()} == {"postgres:5432"}
    await asyncio.to_thread(compose, "up", "--detach", "--no-build")
    await up(compose)
    assert compose.states()["crm"]["RestartCount"] == 0


async def test_a_mail_is_answered(compose, api):
    mail = written("Ada <ada@acme.example>", "The export stops", "At 40 %.", "<export@acme.example>")
    await send(mail, compose.smtp_port)
    shown = await conversation(api, "The export stops")
    assert shown["contact"]["email"] == "ada@acme.example"
    assert shown["timeline"][0]["message"]["text"].strip() == "At 40 %."
    name = f"CONV-{shown['number']}"
    body = {"text": "It is fixed.", "last_seen": shown["version"]}
    answer = await api.post(f"/api/conversations/{name}/replies", json=body)
    assert answer.status_code == 202, answer.text

    async def is_sent():
        states = [entry["delivery"]["state"] for entry in (await timeline(api, name)) if entry["kind"] == "reply"]
        return states == ["sent"]

    await eventually(is_sent, within=60, what="the reply on its way")
    raw = compose("exec", "-T", "channel_email", "sh", "-c", "cat maildir/new/*")
    sent = message_from_string(raw, policy=policy.default)
    assert parseaddr(sent["To"])[1] == "ada@acme.example"
    assert sent["In-Reply-To"] == "<export@acme.example>"
    assert "It is fixed." in raw


async def timeline(api, name):
    return (await api.get(f"/api/conversations/{name}")).json()["timeline"]


@pytest.mark.parametrize("service", services())
def test_a_service_runs_with_as_little_as_it_needs(compose, service):
    can_write = "touch /anywhere /opt/deskstream/anything 2>/dev/null && echo yes || echo no"
    user, root, temporary = compose(
        "exec", "-T", service, "sh", "-c", f"id -u; {can_write}; touch /tmp/something && echo yes"
    ).split()
    assert (user, root, temporary) == ("10001", "no", "yes")
    limits = compose.states()[service]["HostConfig"]
    assert (limits["ReadonlyRootfs"], limits["CapDrop"]) == (True, ["ALL"])
    assert limits["Memory"] > 0
    assert limits["NanoCpus"] > 0


@pytest.mark.parametrize("service", services())
def test_a_container_knows_its_own_secrets_only(compose, service):
    known = set(compose("exec", "-T", service, "ls", "/run/secrets").split())
    others = {"superuser_password", *(f"{name}.password" for name in (*services(), "operator") if name != service)}
    assert {f"{service}.seed", f"{service}.password"} <= known
    assert not known & others


def test_an_adapter_of_elsewhere_gets_its_secrets_and_is_let_in(compose, tmp_path):
    copied = shutil.copy(ROOT / "deploy/make-secrets", tmp_path)
    (tmp_path / "desk.env").write_text("# Its code is not here.\nDESKSTREAM_EXTRA_CHANNELS=pager\n")
    compose.run(copied)
    made = {path.name for path in (tmp_path / "secrets/channel_pager").iterdir()}
    assert made == {"ca.crt", *(f"channel_pager.{kind}" for kind in ("seed", "crt", "key"))}
    assert '"inbound.pager.>"' in (tmp_path / "secrets/nats/nats.conf").read_text()


@pytest.mark.parametrize("service", services())
def test_an_image_is_small_and_holds_no_secret(compose, service):
    image = compose.states()[service]["Config"]["Image"]
    size, base = (int(docker("image", "inspect", "--format", "{{.Size}}", one)) for one in (image, BASE_IMAGE))
    assert (size - base) / MIB < LARGEST_IMAGE_MIB
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    environment = docker("image", "inspect", "--format", "{{.Config.Env}}", image)
    assert "PIP_INDEX_URL" not in history + environment
    assert "CA_CERTIFICATES" not in history + environment


def test_nobody_takes_more_memory_at_rest_than_agreed(compose, record_testsuite_property):
    used = compose.memory()
    record_testsuite_property("memory at rest, MiB", used)
    too_much = {name: used[name] for name in services() if used[name] > MOST_MEMORY_MIB.get(name, 80)}
    assert not too_much


async def test_restarts_one_by_one_under_load_lose_no_mail(compose, api, record_testsuite_property):
    customers, stop = Customers(compose.smtp_port), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for customer in range(CUSTOMERS):
            group.create_task(customers.write(customer, stop))
        for name in (*services(), *SERVERS):
            await asyncio.to_thread(compose, "restart", "--timeout", "40", name)
            await up(compose, name)
        await up(compose)
        stop.set()
    record_testsuite_property("mails taken under load", sum(map(len, customers.accepted.values())))
    await eventually(partial(all_is_shown, api, customers.accepted), within=120, what="every mail once and in order")
    states = compose.states()
    for name in services():
        assert (states[name]["RestartCount"], states[name]["State"]["OOMKilled"]) == (0, False), name
        wrong = [line for line in compose.log(name) if line["event"] in ("loop_died", "stopped_the_hard_way")]
        assert not wrong, name


async def all_is_shown(api, accepted):
    """Whether the API shows just what was accepted, each thread in its order."""
    found = {}
    async for one in inbox(api):
        if one["title"] in accepted:
            assert one["title"] not in found, f"{one['title']} was opened twice"
            entries = await timeline(api, f"CONV-{one['number']}")
            found[one["title"]] = [entry["message"]["text"].strip() for entry in entries if entry.get("message")]
    missing = {subject: texts for subject, texts in accepted.items() if found.get(subject) != texts}
    assert not missing, f"{len(missing)} threads differ, such as {list(missing.items())[:2]}: {list(found.items())[:2]}"
    return True


async def inbox(api):
    cursor = None
    while True:
        asked = {"limit": 200, "sort": "received"} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/api/conversations", params=asked)).raise_for_status().json()
        for one in page["conversations"]:
            yield one
        cursor = page["next"]
        if cursor is None:
            return


def test_the_tools_find_nothing_wrong_afterwards(compose):
    found = json.loads(compose("run", "--rm", "-T", "migrate", "doctor", "--json"))
    assert found["ok"], found
    assert json.loads(compose("run", "--rm", "-T", "migrate", "dead-letters", "list", "--json")) == {"dead_letters": []}
