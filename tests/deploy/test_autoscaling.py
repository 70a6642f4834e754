"""O2: more replicas on consumer lag: KEDA understands what it is told, and finds at the broker what it asks for."""

from copy import deepcopy

import nats
import pytest

from deskstream.messaging.permissions import OPERATOR, inbox_prefix
from deskstream.messaging.topology import provision, topology
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.nats import EmbeddedNats
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.privileges.guard import Guard
from deskstream.runtime.schemas import installed_services
from tests.deploy import scaling
from tests.deploy.keda import consumers_seen, slips
from tests.deploy.rendering import Resource, of_kind

OVERLAY = "autoscaled"
SERVICES = installed_services()


def scaled_objects() -> list[Resource]:
    return of_kind(OVERLAY, "ScaledObject")


def triggers(scaled: Resource) -> list[Resource]:
    return [trigger["metadata"] for trigger in scaled["spec"]["triggers"]]


def test_the_file_of_the_autoscaler_is_what_the_services_declare():
    assert scaling.FILE.read_text() == scaling.written(SERVICES), "`make kubernetes` writes it anew"


def test_keda_takes_every_object():
    assert {one["metadata"]["name"]: found for one in scaled_objects() if (found := slips(one))} == {}


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        pytest.param(("spec", "minReplicas"), 2, "minReplicas", id="a field that KEDA has not"),
        pytest.param(("spec", "triggers"), [], "non-empty", id="no trigger"),
        pytest.param(("spec", "triggers", 0, "type"), "nats", "nats-jetstream", id="another kind of trigger"),
        pytest.param(("spec", "triggers", 0, "metadata", "lagThreshold"), 4000, "string", id="a number, not a text"),
        pytest.param(("spec", "triggers", 0, "metadata", "durable"), "crm", "durable", id="an unknown parameter"),
        pytest.param(("spec", "triggers", 0, "metadata", "natsServerMonitoringEndpoint"), "http://nats:8222",
                     "http://nats:8222", id="an endpoint with a scheme"),
        pytest.param(("spec", "minReplicaCount"), 7, "more than maxReplicaCount", id="more at least than at most"),
        pytest.param(("spec", "idleReplicaCount"), 2, "not less", id="as many idle as at least"),
        pytest.param(("apiVersion",), "keda.k8s.io/v1alpha1", "keda.sh/v1alpha1", id="the group of KEDA 1"),
    ],
)  # fmt: skip
def test_a_slip_is_found(place, value, told):
    slipped = deepcopy(scaled_objects()[0])
    *path, last = place
    inner = slipped
    for step in path:
        inner = inner[step]
    inner[last] = value
    [found] = slips(slipped)
    assert told in found


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_whoever_has_no_single_reader_is_scaled_by_its_lag(name):
    deployment = f"deskstream-{name.replace('_', '-')}"
    [replicas] = [one["spec"].get("replicas") for one in of_kind(OVERLAY, "Deployment") if is_named(one, deployment)]
    found = [one for one in scaled_objects() if is_named(one, deployment)]
    if SERVICES[name].exclusive:
        assert (found, replicas) == ([], 2)
        return
    [scaled] = found
    assert scaled["spec"]["scaleTargetRef"] == {"name": deployment}
    assert replicas is None, "each release would set it back"
    places = {(trigger["stream"], trigger["consumer"]) for trigger in triggers(scaled)}
    assert places == {(d.stream, d.reader) for d in topology(list(SERVICES.values())).durables if d.reader == name}


def is_named(resource: Resource, name: str) -> bool:
    return bool(resource["metadata"]["name"] == name)


def test_keda_reaches_the_brokers_figures():
    [service] = [one for one in of_kind(OVERLAY, "Service") if is_named(one, "nats")]
    told = {trigger["natsServerMonitoringEndpoint"] for scaled in scaled_objects() for trigger in triggers(scaled)}
    assert told == {f"nats.{service['metadata']['namespace']}.svc.cluster.local:8222"}
    assert 8222 in {port["port"] for port in service["spec"]["ports"]}


async def test_every_trigger_names_what_keda_finds_at_a_broker_with_permissions(tmp_path):
    server = EmbeddedNats(Home(tmp_path, user=None), access=Guard(tmp_path, list(SERVICES.values())).access())
    url = server.start()
    try:
        seed = str(Credentials(tmp_path).seed_file(OPERATOR))
        client = await nats.connect(url, nkeys_seed=seed, inbox_prefix=inbox_prefix(OPERATOR))
        await provision(client, topology(list(SERVICES.values())))
        await client.close()
        asked = [trigger for scaled in scaled_objects() for trigger in triggers(scaled)]
        seen = {account: consumers_seen(server.monitor_url.removeprefix("http://"), account)
                for account in {trigger["account"] for trigger in asked}}  # fmt: skip
    finally:
        server.stop()
    assert [one for one in asked if (one["stream"], one["consumer"]) not in seen[one["account"]]] == []
