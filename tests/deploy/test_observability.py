"""O5: dashboard and alerts ask for what /metrics really tells, and all of it is looked at by one of them."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any

import nats
import promql_parser
import pytest
import pytest_asyncio
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deskstream.cli.registry import COMMANDS
from deskstream.runtime.health import Health
from deskstream.runtime.metrics import Metrics
from deskstream.runtime.schemas import installed_services
from deskstream.testkit.desk import desk
from deskstream.testkit.eventually import eventually
from deskstream.testkit.sample.services import COUNTING, SUMMING, Count
from tests.architecture.repository import ROOT

FOLDER = ROOT / "deploy/observability"
DASHBOARD = json.loads((FOLDER / "grafana/dashboards/deskstream.json").read_text())
RULES = yaml.safe_load((FOLDER / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
SCRAPING = yaml.safe_load((FOLDER / "prometheus/prometheus.yml").read_text())

ADDED_BY_PROMETHEUS = {"job", "instance"}
VARIABLES = {"$__rate_interval": "5m", "$service": ".*"}


@dataclass(frozen=True)
class Asked:
    """A series that an expression asks for, and the labels it is chosen or added up by."""

    name: str
    labels: frozenset[str]


def asked_for(expression: str) -> set[Asked]:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return set(_walk(promql_parser.parse(expression), frozenset()))


def _walk(node: Any, by: frozenset[str]) -> list[Asked]:
    match node:
        case promql_parser.VectorSelector():
            return [Asked(node.name or "", by | {matcher.name for matcher in node.matchers.matchers})]
        case promql_parser.MatrixSelector():
            return _walk(node.vector_selector, by)
        case promql_parser.AggregateExpr():
            return _walk(node.expr, by | set(node.modifier.labels if node.modifier else ()))
        case promql_parser.Call():
            return [found for argument in node.args for found in _walk(argument, by)]
        case promql_parser.BinaryExpr():
            return _walk(node.lhs, by) + _walk(node.rhs, by)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return _walk(node.expr, by)
    return []


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> dict[str, str]:
    shown = {f"{panel['title']} {target['refId']}": target["expr"] for panel in panels() for target in panel["targets"]}
    return shown | {rule["alert"]: rule["expr"] for rule in RULES}


@pytest_asyncio.fixture
async def told(database, nats_url, monkeypatch):
    """Series -> its labels, as a process tells them that has had something of everything to do."""
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", "thread-secret-of-the-dashboard")
    health = Health("all")
    metrics = Metrics(health)
    await health.serve("127.0.0.1", 0)
    async with desk([COUNTING, SUMMING, installed_services()["ingest"]], database, nats_url) as services:
        metrics.services |= services
        await services["summing"].call(Count(counter="a", times=3))
        client = await nats.connect(nats_url)
        await client.jetstream().publish("inbound.email.support", b"hello")
        await client.close()
        await eventually(lambda: services["summing"].runner.applied == 3)
        await eventually(lambda: services["ingest"].runner.applied == 1)
        # None of these has a provider.
        services["summing"].figures.sends["outbound.email", "sent"] += 1
        page = (await asyncio.to_thread(metrics.page))[1].decode()
        await health.stop()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return {sample.name: frozenset(sample.labels) for sample in samples}


async def test_o5_dashboard_and_alerts_ask_for_series_and_labels_that_there_are(told):
    wrong = {}
    for where, expression in expressions().items():
        for asked in asked_for(expression):
            if asked.name != "up" and not asked.labels <= told.get(asked.name, frozenset()) | ADDED_BY_PROMETHEUS:
                wrong[where] = asked
            if asked.name != "up" and asked.name not in told:
                wrong[where] = asked
    assert not wrong


async def test_o5_every_series_of_ours_is_looked_at(told):
    asked = {asked.name for expression in expressions().values() for asked in asked_for(expression)}
    ours = {name for name in told if name.startswith("deskstream_") and not name.endswith(("_sum", "_count"))}
    assert ours - asked == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_o5_an_alert_says_who_is_woken_and_what_to_do_first(rule):
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "action"}
    assert re.fullmatch(r"Deskstream\w+", rule["alert"])
    for command in re.findall(r"`deskstream ([a-z-]+)", rule["annotations"]["action"]):
        assert command in COMMANDS
    for path in re.findall(r"docs/[\w./-]+\w", rule["annotations"]["action"]):
        assert (ROOT / path).exists()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_o5_an_alert_names_only_labels_that_it_has(rule):
    named = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
    kept = {label for asked in asked_for(rule["expr"]) for label in asked.labels} | ADDED_BY_PROMETHEUS
    assert named <= kept


def test_alerts_have_names_of_their_own():
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))


def test_panels_say_what_they_show_and_lie_beside_each_other():
    assert all(panel["description"] and panel["title"] for panel in panels())
    taken = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_example_finds_the_rules_and_the_services():
    assert all((FOLDER / "prometheus" / name).exists() for name in SCRAPING["rule_files"])
    (job,) = SCRAPING["scrape_configs"]
    (lookup,) = job["dns_sd_configs"]
    unwatched = sorted(installed_services().keys() - set(lookup["names"]))
    assert not unwatched, f"deploy/observability/prometheus/prometheus.yml does not name {unwatched}"
    assert set(lookup["names"]) <= installed_services().keys()
    assert f"DESKSTREAM_HEALTH_PORT={lookup['port']}" in (ROOT / "deploy/Dockerfile").read_text()


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        pytest.param("max by (a) (x)", {Asked("x", frozenset({"a"}))}, id="what is added up by"),
        pytest.param('x{b="1"} > 1 and y', {Asked("x", frozenset({"b"})), Asked("y", frozenset())}, id="both sides"),
        pytest.param("rate(x[$__rate_interval])", {Asked("x", frozenset())}, id="a range, with Grafana's variable"),
    ],
)
def test_expressions_are_understood(expression, asked):
    assert asked_for(expression) == asked
