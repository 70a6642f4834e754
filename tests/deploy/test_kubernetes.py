"""O2: what deploy/k8s renders to is valid, whole, and as narrow as it can be."""

import subprocess
from typing import Any

import kubernetes_validate
import pytest

from deskstream.runtime.channels import ALWAYS, PREFIX
from deskstream.runtime.embedded.home import Home
from deskstream.runtime.schemas import installed_services
from deskstream.runtime.settings import RuntimeSettings
from tests.deploy.rendering import Resource, of_kind, pods, rendered

OVERLAYS = (".", "autoscaled", "own-servers")
SERVICES = installed_services()
NAMES = {name: name.replace("_", "-") for name in SERVICES}
FOREIGN = {"ScaledObject"}
"""Kinds that KEDA brings, which have a check of their own; no schema of them comes with Kubernetes."""
TOOLS = 10
"""Connections for jobs, people, and those that PostgreSQL keeps for its superuser."""
OLDEST, NEWEST = "1.30", "1.35"


def named(overlay: str, kind: str, name: str) -> Resource:
    (found,) = [one for one in of_kind(overlay, kind) if one["metadata"]["name"] == name]
    return found


def container(spec: Resource) -> Resource:
    (only,) = spec["containers"]
    return dict(only)


@pytest.fixture(params=sorted(SERVICES))
def service(request):
    return request.param


@pytest.mark.slow
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_resource_is_valid(version):
    differing = {str(one): one for overlay in OVERLAYS for one in rendered(overlay) if one["kind"] not in FOREIGN}
    for resource in differing.values():
        kubernetes_validate.validate(resource, version, strict=True)


def test_the_validator_finds_a_slip():
    slipped = named(".", "Deployment", "deskstream-sla") | {"spec": {"replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(slipped, NEWEST, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_is_there_twice_or_outside_of_the_namespace(overlay):
    names = [(one["kind"], one["metadata"]["name"]) for one in rendered(overlay)]
    assert len(names) == len(set(names))
    outside = [one for one in rendered(overlay) if one["kind"] != "Namespace"]
    assert {one["metadata"]["namespace"] for one in outside} == {"deskstream"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_is_deployed_and_nothing_else(overlay):
    deployed = {one["metadata"]["name"].removeprefix("deskstream-") for one in of_kind(overlay, "Deployment")}
    missing = sorted(set(NAMES.values()) - deployed)
    assert not missing, (
        f"deploy/k8s/services has no folder for {missing}, or does not list it: write it like that of crm"
    )
    assert deployed == set(NAMES.values())


def test_whoever_decides_about_replies_knows_every_channel():
    told = named(".", "ConfigMap", "deskstream-settings")["data"].get("DESKSTREAM_EXTRA_CHANNELS", "")
    missing = {name.removeprefix(PREFIX) for name in SERVICES if name.startswith(PREFIX)} - {ALWAYS, *told.split(",")}
    assert not missing, f"DESKSTREAM_EXTRA_CHANNELS in deploy/k8s/desk/settings.yaml does not name {sorted(missing)}"


def test_servers_of_ones_own_take_the_place_of_ours():
    assert not of_kind("own-servers", "StatefulSet")
    assert {one["metadata"]["name"] for one in of_kind(".", "StatefulSet")} == {"nats", "postgres"}
    settings = named("own-servers", "ConfigMap", "deskstream-settings")["data"]
    assert settings["DESKSTREAM_NATS_URL"].count("tls://") == 3


def test_a_service_has_its_image_its_secrets_and_its_own_labels(service):
    deployment = named(".", "Deployment", f"deskstream-{NAMES[service]}")
    spec = deployment["spec"]["template"]["spec"]
    assert container(spec)["image"] == f"deskstream-{service}"
    assert spec["serviceAccountName"] == deployment["metadata"]["name"]
    assert {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume} == {
        f"deskstream-{NAMES[service]}"
    }
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == NAMES[service]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_no_two_selectors_meet_the_same_pods():
    selectors = [str(one["spec"]["selector"]) for one in of_kind(".", "Deployment")]
    assert len(selectors) == len(set(selectors))
    of_budgets = [str(one["spec"]["selector"]) for one in of_kind(".", "PodDisruptionBudget")]
    assert sorted(of_budgets) == sorted(selectors)


def test_pods_may_do_as_little_as_they_can():
    for name, spec in pods(".").items():
        assert is_confined(spec), name


def is_confined(spec):
    assert not spec["automountServiceAccountToken"]
    assert not spec["enableServiceLinks"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    own = container(spec)["securityContext"]
    assert own == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert {"cpu", "memory"} <= container(spec)["resources"]["limits"].keys()
    return {"cpu", "memory"} <= container(spec)["resources"]["requests"].keys()


def test_what_runs_on_is_probed():
    for name, spec in pods(".").items():
        probed = {"startupProbe", "livenessProbe", "readinessProbe"} <= container(spec).keys()
        assert probed or name.startswith("Job"), name


def test_a_service_is_asked_for_its_health_where_it_tells_it(service):
    asked = container(pods(".")[f"Deployment deskstream-{NAMES[service]}"])
    ports = {port["name"]: port["containerPort"] for port in asked["ports"]}
    assert ports["health"] == 8081
    assert asked["livenessProbe"]["httpGet"] == {"path": "/live", "port": "health"}
    assert asked["readinessProbe"]["httpGet"] == {"path": "/ready", "port": "health"}
    # A probe asks both servers, for three seconds each at most.
    assert asked["readinessProbe"]["timeoutSeconds"] > 5


def test_a_pod_has_time_to_finish_what_it_began(service):
    assert pods(".")[f"Deployment deskstream-{NAMES[service]}"]["terminationGracePeriodSeconds"] >= 25 + 5 + 5


def test_whatever_is_mounted_is_a_volume():
    for overlay in OVERLAYS:
        for name, spec in pods(overlay).items():
            mounted = {mount["name"] for mount in container(spec)["volumeMounts"]}
            templates = {"data"} if name.startswith("StatefulSet") else set()
            assert mounted <= {volume["name"] for volume in spec.get("volumes", [])} | templates, name


def test_the_database_writes_nobodys_words_into_its_log():
    told = container(pods(".")["StatefulSet postgres"])["args"]
    assert {"-clog_min_error_statement=panic", "-clog_error_verbosity=terse"} <= set(told)


def test_what_is_not_named_is_forbidden():
    assert named(".", "NetworkPolicy", "nobody")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    everybody = [one for one in of_kind(".", "NetworkPolicy") if one["spec"]["podSelector"] == {}]
    assert len(everybody) == 1


@pytest.mark.parametrize(
    ("pod", "from_anywhere"),
    [
        pytest.param("Deployment deskstream-gateway", {8080}, id="the gateway answers HTTP"),
        pytest.param("Deployment deskstream-channel-email", {2525}, id="the mail channel takes mails"),
        pytest.param("Deployment deskstream-crm", set(), id="the crm is reached by nobody"),
        pytest.param("StatefulSet nats", set(), id="the broker is reached by the desk only"),
        pytest.param("StatefulSet postgres", set(), id="the database is reached by the desk only"),
    ],
)
def test_who_is_reached_from_anywhere(pod, from_anywhere):
    assert open_ports(pods(".")[pod]["labels"], "ingress") == from_anywhere


def test_only_channels_speak_to_the_world_and_mail_on_the_ports_of_mail():
    speaking = {name: ports for name, spec in pods(".").items() if (ports := open_ports(spec["labels"], "egress"))}
    assert speaking.pop("Deployment deskstream-channel-email") == {25, 465, 587}
    assert not [name for name in speaking if not name.startswith("Deployment deskstream-channel-")]


def open_ports(labels: dict[str, str], direction: str) -> set[int]:
    """Ports that policies open to everybody, for pods of these labels."""
    other = {"ingress": "from", "egress": "to"}[direction]
    rules: list[dict[str, Any]] = [
        rule
        for policy in of_kind(".", "NetworkPolicy")
        if policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items()
        for rule in policy["spec"].get(direction, [])
    ]
    return {port["port"] for rule in rules if not rule.get(other) for port in rule["ports"]}


def test_a_service_of_the_cluster_leads_to_a_port_that_is_open():
    for one in of_kind(".", "Service"):
        meant = [spec for spec in pods(".").values() if one["spec"]["selector"].items() <= spec["labels"].items()]
        (spec,) = meant
        ports = {port.get("name"): port["containerPort"] for port in container(spec)["ports"]}
        for port in one["spec"]["ports"]:
            assert port.get("targetPort", port["port"]) in {*ports, *ports.values()}


def test_the_database_has_room_for_every_replica_there_may_be():
    most = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]["maxReplicaCount"]
        for one in of_kind("autoscaled", "ScaledObject")
    }
    replicas = {one["metadata"]["name"]: one["spec"].get("replicas") for one in of_kind("autoscaled", "Deployment")}
    # A release brings one more of each before one goes.
    running = sum(most.get(name, number) + 1 for name, number in replicas.items())
    pool = RuntimeSettings.model_fields["pool_size"].default
    args = container(pods("autoscaled")["StatefulSet postgres"])["args"]
    (room,) = [int(arg.partition("=")[2]) for arg in args if arg.startswith("-cmax_connections=")]
    assert running * pool + TOOLS <= room, "more replicas than deploy/k8s/servers/postgres.yaml has connections for"


def test_the_broker_collects_its_garbage_before_it_is_ended():
    nats = container(pods(".")["StatefulSet nats"])
    [target] = [one["value"] for one in nats["env"] if one["name"] == "GOMEMLIMIT"]
    limit = nats["resources"]["limits"]["memory"]
    assert int(target.removesuffix("MiB")) <= 0.9 * int(limit.removesuffix("Mi"))


def test_replicas_of_a_service_are_spread_over_nodes(service):
    [spread] = pods(".")[f"Deployment deskstream-{NAMES[service]}"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"]["app.kubernetes.io/name"] == NAMES[service]


def test_the_broker_reads_what_was_written_for_it_and_shows_its_figures_to_probes(tmp_path):
    around = named(".", "ConfigMap", "nats-around")["data"]["nats.conf"]
    seen_at = {mount["mountPath"]: mount["name"] for mount in container(pods(".")["StatefulSet nats"])["volumeMounts"]}
    assert (seen_at["/etc/around"], seen_at["/etc/nats"]) == ("around", "secrets")
    for folder, text in (("around", around), ("nats", 'http: "127.0.0.1:8222"\ninclude keys.conf\nport: $PORT')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "nats.conf").write_text(text)
    (tmp_path / "nats/keys.conf").write_text("PORT: 4222")
    server = Home(tmp_path, user=None).nats_server
    told = subprocess.run([server, "-t", "-c", tmp_path / "around/nats.conf"], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert around.splitlines()[-1] == "http: 0.0.0.0:8222"


def test_migrating_and_provisioning_wait_for_their_servers():
    commands = {name: container(spec).get("args") for name, spec in pods(".").items()}
    assert commands["Job deskstream-migrate"] == ["migrate", "--wait", "600"]
    assert commands["Job deskstream-provision"] == ["provision", "--wait", "600"]
