"""O2: docker-compose.yml has every service, gives it limits, and nothing that it does not need."""

import re

import pytest

from deskstream.runtime.channels import ALWAYS, PREFIX
from deskstream.runtime.schemas import installed_services
from tests.deploy.compose import FILES, ONCE, ROOT, SERVERS, read_file, services

CONTAINERS = read_file()["services"]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()


def environment(name):
    return CONTAINERS[name].get("environment", {})


def mounted(name):
    """By where it is seen, what is mounted there."""
    parts = [volume.removesuffix(":ro").rpartition(":") for volume in CONTAINERS[name].get("volumes", ())]
    return {target: source for source, _, target in parts}


CHANNELS = sorted(name for name in installed_services() if name.startswith(PREFIX))


def test_every_service_has_a_container():
    missing = sorted(installed_services().keys() - set(services()))
    assert not missing, f"docker-compose.yml has no section for {missing}: write it like that of crm"
    gone = sorted(set(services()) - installed_services().keys())
    assert not gone, f"docker-compose.yml has sections for {gone}, and no such service is here"
    assert {*services(), *SERVERS, *ONCE} == set(CONTAINERS)


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_a_container_has_limits_and_few_rights(name):
    told = CONTAINERS[name]
    assert told["mem_limit"]
    assert told["cpus"]
    assert told["pids_limit"]
    assert told["read_only"]
    assert told["cap_drop"] == ["ALL"]
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "pid"} & told.keys()


@pytest.mark.parametrize("name", sorted({*services(), *SERVERS}))
def test_what_runs_on_comes_back_and_has_time_to_finish(name):
    told = CONTAINERS[name]
    assert told["restart"] == "unless-stopped"
    assert int(told["stop_grace_period"].removesuffix("s")) >= 30


def test_what_runs_on_is_asked_for_its_health():
    assert "HEALTHCHECK" in DOCKERFILE
    # The image of NATS has nothing to ask with.
    assert {name for name in SERVERS if "healthcheck" not in CONTAINERS[name]} == {"nats"}


def test_the_broker_collects_its_garbage_before_it_is_ended():
    limit, target = CONTAINERS["nats"]["mem_limit"], environment("nats")["GOMEMLIMIT"]
    assert int(target.removesuffix("MiB")) <= 0.9 * int(limit.removesuffix("m"))


@pytest.mark.parametrize("name", services())
def test_a_service_is_built_from_the_one_dockerfile_with_its_own_secrets(name):
    told = CONTAINERS[name]
    assert told["build"]["dockerfile"] == "deploy/Dockerfile"
    assert told["build"]["args"]["SERVICE"] == name
    assert mounted(name)["/run/secrets"].endswith(f"deploy/secrets}}/{name}")
    assert told["stop_grace_period"] == "30s"
    assert set(told["depends_on"]) == {"migrate", "provision"}


def test_only_the_gateway_and_channels_have_doors_each_its_own_and_on_loopback():
    doors = {name: told["ports"] for name, told in CONTAINERS.items() if "ports" in told}
    assert doors.keys() == {"gateway", *CHANNELS}
    assert all(":-127.0.0.1:" in port for ports in doors.values() for port in ports)
    seen = [port.partition("}")[0].rpartition(":")[2] for ports in doors.values() for port in ports]
    assert len(seen) == len(set(seen)), f"two containers want one port of this machine: {sorted(seen)}"
    outside = {name for name, told in CONTAINERS.items() if "outside" in told["networks"]}
    assert outside == doors.keys()
    assert read_file()["networks"]["inside"] == {"internal": True}


def test_whoever_decides_about_replies_knows_every_channel():
    # Its image has no other service, so it cannot see which channels there are.
    lines = (ROOT / "deploy/desk.env").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    named = set(told.get("DESKSTREAM_EXTRA_CHANNELS", "").split(","))
    missing = {name.removeprefix(PREFIX) for name in CHANNELS} - {ALWAYS} - named
    assert not missing, f"DESKSTREAM_EXTRA_CHANNELS in deploy/desk.env does not name {sorted(missing)}"
    # What one container is told would hide what all are told.
    assert not [name for name in CONTAINERS if "DESKSTREAM_EXTRA_CHANNELS" in environment(name)]


def test_no_secret_stands_in_the_file():
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|SEED")
    told = {(name, key): value for name in CONTAINERS for key, value in environment(name).items() if secret.search(key)}
    assert not {place for place, value in told.items() if not str(value).startswith("/run/secrets/")}


def test_the_database_writes_nobodys_words_into_its_log():
    assert {"-clog_min_error_statement=panic", "-clog_error_verbosity=terse"} <= set(CONTAINERS["postgres"]["command"])


def test_both_composes_understand_it():
    text = FILES[0].read_text()
    assert not {"version", "name", "include", "configs"} & read_file().keys()
    assert "develop:" not in text
    assert not [name for name, told in CONTAINERS.items() if "deploy" in told]


def test_the_builder_without_buildkit_understands_the_dockerfile():
    assert not re.search(
        r"RUN --|COPY --(chmod|link|parents|exclude)|<<\s*['\"]?EOF|^# syntax=", DOCKERFILE, re.MULTILINE
    )
