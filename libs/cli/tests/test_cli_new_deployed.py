"""`deskstream new`: what is made is deployed like its neighbours."""

import shutil
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILES = (
    "docker-compose.yml",
    "deploy/desk.env",
    "deploy/k8s/desk/settings.yaml",
    "deploy/k8s/services/kustomization.yaml",
    "deploy/k8s/services/crm/kustomization.yaml",
    "deploy/observability/prometheus/prometheus.yml",
)


@pytest.fixture
def checkout(tmp_path, nowhere):
    """What the command needs to see of a checkout; it is called there."""
    for name in ("pyproject.toml", *FILES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "services" / "crm").mkdir(parents=True)
    return tmp_path


def make(nowhere, *kind_and_name):
    said = nowhere.now("new", *kind_and_name, "--json")
    assert said.code == 0, said.err
    return said.json["files"]


def containers(checkout):
    return yaml.safe_load((checkout / "docker-compose.yml").read_text())["services"]


def settings(checkout):
    return yaml.safe_load((checkout / "deploy/k8s/desk/settings.yaml").read_text())["data"]


def listed(checkout):
    return yaml.safe_load((checkout / "deploy/k8s/services/kustomization.yaml").read_text())["resources"]


def test_a_service_gets_a_container_as_its_neighbours_have_one(checkout, nowhere):
    before = containers(checkout)
    files = make(nowhere, "service", "billing")
    assert {"docker-compose.yml", "deploy/k8s/services/billing/kustomization.yaml"} <= set(files)
    after = containers(checkout)
    assert yaml.safe_dump(after.pop("billing")) == yaml.safe_dump(before["crm"]).replace("crm", "billing")
    assert after == before


def test_a_service_gets_a_folder_for_kubernetes_as_its_neighbours_have_one(checkout, nowhere):
    make(nowhere, "service", "billing")
    made = (checkout / "deploy/k8s/services/billing/kustomization.yaml").read_text()
    theirs = (checkout / "deploy/k8s/services/crm/kustomization.yaml").read_text()
    assert made == theirs.replace("crm", "billing")
    assert listed(checkout) == sorted(listed(checkout))
    assert "billing" in listed(checkout)


def test_a_service_is_watched_beside_its_neighbours(checkout, nowhere):
    file = checkout / "deploy/observability/prometheus/prometheus.yml"
    before = yaml.safe_load(file.read_text())
    make(nowhere, "service", "billing")
    after = yaml.safe_load(file.read_text())
    names = after["scrape_configs"][0]["dns_sd_configs"][0]["names"]
    assert names.pop() == "billing"
    assert after == before


def test_a_channel_gets_a_door_and_conversation_is_told_of_it(checkout, nowhere):
    make(nowhere, "channel", "sms")
    told = containers(checkout)["channel_sms"]
    assert told["ports"] == ["${DESKSTREAM_SMS_ON:-127.0.0.1:8090}:8090"]
    assert told["networks"] == ["inside", "outside"]
    assert "\nDESKSTREAM_EXTRA_CHANNELS=sms\n" in (checkout / "deploy/desk.env").read_text()
    assert settings(checkout)["DESKSTREAM_EXTRA_CHANNELS"] == "sms"
    folder = checkout / "deploy/k8s/services/channel_sms"
    assert {path.name for path in folder.iterdir()} == {
        "kustomization.yaml", "process.yaml", "service.yaml", "network.yaml",
    }  # fmt: skip
    assert not [path for path in folder.iterdir() if "@" in path.read_text()]


def test_a_second_channel_has_a_door_of_its_own_and_both_are_named(checkout, nowhere):
    make(nowhere, "channel", "sms")
    make(nowhere, "channel", "on")
    assert containers(checkout)["channel_on"]["ports"] == ["${DESKSTREAM_ON_ON:-127.0.0.1:8091}:8090"]
    assert (checkout / "deploy/desk.env").read_text().endswith("\nDESKSTREAM_EXTRA_CHANNELS=sms,on\n")
    assert settings(checkout)["DESKSTREAM_EXTRA_CHANNELS"] == "sms,on"


def test_made_again_it_is_deployed_once(checkout, nowhere):
    make(nowhere, "channel", "sms")
    before = {name: (checkout / name).read_text() for name in FILES}
    shutil.rmtree(checkout / "services/channel_sms")
    make(nowhere, "channel", "sms")
    assert {name: (checkout / name).read_text() for name in FILES} == before


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        pytest.param("docker-compose.yml", "services: {}\n", "no `networks:`", id="containers without an end"),
        pytest.param("deploy/observability/prometheus/prometheus.yml", "a: b\n", "no `names:`", id="nothing watched"),
        pytest.param("deploy/k8s/services/kustomization.yaml", "kind: x\n", "no `resources:`", id="no list"),
    ],
)
def test_where_there_is_no_place_for_it_nothing_is_made(checkout, nowhere, file, content, sentence):
    (checkout / file).write_text(content)
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    said = nowhere.now("new", "service", "billing")
    assert (said.code, sentence in said.err) == (1, True)
    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()} == before
