import asyncio
import os
from collections import Counter

import pytest

from deskstream.cli.bench.counts import Counts
from deskstream.cli.bench.load import Mix
from deskstream.cli.bench.pipeline import TOGETHER, Plan, bench_pipeline, with_remainder
from deskstream.cli.bench.raw import Raw
from deskstream.cli.bench.replicas import bench_replicas
from deskstream.cli.bench.running import one_each, two_processes
from deskstream.cli.bench.shares import shares
from deskstream.cli.bench.starting import bench_start
from deskstream.cli.bench.tickets import bench_tickets
from deskstream.cli.bench.usage import Usage, usage_of
from deskstream.cli.bench.watch import percentile
from deskstream.contracts.inbound import InboundMessage

pytestmark = pytest.mark.timeout(300)

FIGURES = {
    "inbound_per_s", "cpu_ms_per_message", "cpu_ms_by_process", "ratio_to_raw", "handlings_per_message",
    "events_per_message", "p50_ms", "p99_ms", "half_p50_ms", "half_p99_ms", "memory_mb", "made_of",
    "rest_cpu_ms_per_message", "half_cpu_ms_per_message", "cores", "raw",
}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([7.0], 0.99, 7.0, id="of one value every percentile is that value"),
        pytest.param([3.0, 1.0, 2.0], 0.5, 2.0, id="the order of measuring does not matter"),
        pytest.param([float(n) for n in range(1, 101)], 0.99, 100.0, id="99 of 100 lie below the hundredth"),
        pytest.param([float(n) for n in range(1, 1001)], 0.5, 501.0, id="half of them lie below"),
        pytest.param([1.0, 2.0], 1.0, 2.0, id="all of it is the largest"),
    ],
)
def test_percentile(values, share, expected):
    assert percentile(values, share) == expected


def test_ratio_is_the_share_of_the_cores_that_the_bare_handlings_would_need():
    raw = Raw(
        publish_per_s=0, publish_us=30, pull_per_s=0, pull_us=20, insert_per_s=0, insert_us=30, codec_us=20
    )  # fmt: skip
    cores = os.cpu_count() or 1
    assert raw.handling_us == 100
    assert raw.share_of(10_000) == round(1 / cores, 3)


def test_usage_is_the_difference_by_name_and_in_sum():
    before, after = Usage({"nats": 1.0, "postgres": 2.0}), Usage({"nats": 1.5, "postgres": 4.0, "late": 0.25})
    used = after.since(before)
    assert used.seconds == {"nats": 0.5, "postgres": 2.0, "late": 0.25}
    assert used.total == 2.75
    assert used.ms_per(1000) == {"nats": 0.5, "postgres": 2.0, "late": 0.25}
    assert used.ms_per(0) == {"nats": 500.0, "postgres": 2000.0, "late": 250.0}


def test_a_message_is_made_of_what_each_service_and_server_spent():
    used = Usage({"nats": 0.2, "postgres": 1.0, "crm": 0.5, "channel_email": 0.1})
    counts = Counts(Counter({"crm": 2000, "channel_email": 1}), events=3000)
    assert shares(used, Usage({"crm": 0.4, "channel_email": 0.0}), counts, 1000) == [
        {
            "who": "crm", "ms_per_message": 0.9, "handlings_per_message": 2.0, "python_us_per_handling": 250,
            "database_us_per_handling": 200,
        },
        {"who": "channel_email", "ms_per_message": 0.1},
        {"who": "nats", "ms_per_message": 0.2},
        {"who": "postgres, beside the sessions", "ms_per_message": 0.6},
    ]  # fmt: skip


def test_what_a_message_is_made_of_adds_up_to_what_was_measured():
    apart = [{"who": "crm", "ms_per_message": 0.9}, {"who": "nats", "ms_per_message": 0.25}]
    assert with_remainder(apart, 1.0) == [*apart, {"who": TOGETHER, "ms_per_message": -0.15}]


def test_counts_are_the_difference_by_reader():
    before, after = Counts(Counter({"crm": 5}), 10), Counts(Counter({"crm": 8, "sla": 2}), 14)
    assert after.since(before) == Counts(Counter({"crm": 3, "sla": 2}), 4)
    assert after.since(before).all_handlings == 5


def test_each_service_apart_is_every_service_once():
    assert sorted(name for group in one_each() for name in group) == sorted(
        name for group in two_processes() for name in group
    )


def test_usage_counts_a_process_that_runs():
    before = usage_of({"me": os.getpid()})
    sum(n * n for n in range(2_000_000))
    assert usage_of({"me": os.getpid()}).since(before).total > 0


def test_the_mix_is_one_fifth_new_conversations_and_the_same_for_the_same_seed():
    first, second = Mix(seed=7), Mix(seed=7)
    bodies = [first.next() for _ in range(3000)]
    assert bodies == [second.next() for _ in range(3000)]
    messages = [InboundMessage.model_validate_json(body) for body in bodies]
    known: set[str] = set()
    for message in messages:
        assert set(message.thread.references) <= known
        known.add(message.external_id)
    assert len(known) == 3000
    new = sum(not message.thread.references for message in messages)
    assert new / 3000 == pytest.approx(0.2, abs=0.03)


@pytest.mark.long
def test_the_pipeline_is_measured_on_real_servers():
    told: list[str] = []
    figures = asyncio.run(bench_pipeline(Plan(seconds=2, calm_seconds=1, apart_seconds=1), told.append))
    assert set(figures) >= FIGURES
    assert figures["messages"] > 0
    assert figures["inbound_per_s"] == pytest.approx(figures["messages"] / figures["seconds"], rel=0.1)
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert set(figures["cpu_ms_by_process"]) == {"nats", "postgres", *("+".join(names) for names in two_processes())}
    assert sum(figures["cpu_ms_by_process"].values()) == pytest.approx(figures["cpu_ms_per_message"], abs=0.01)
    assert figures["raw"].keys() == {
        "publish_per_s", "publish_us", "pull_per_s", "pull_us", "insert_per_s", "insert_us", "codec_us",
    }  # fmt: skip
    assert min(figures["raw"].values()) > 0
    assert figures["ratio_to_raw"] > 0
    assert any("full speed" in line for line in told)
    parts = {row["who"]: row for row in figures["made_of"]}
    assert {name for group in two_processes() for name in group} < parts.keys()
    made = sum(row["ms_per_message"] for row in figures["made_of"])
    assert made == pytest.approx(figures["cpu_ms_per_message"], abs=0.0005)
    assert parts["crm"]["python_us_per_handling"] > parts["crm"]["database_us_per_handling"] > 0


@pytest.mark.long
def test_a_start_is_measured():
    figures = asyncio.run(bench_start(lambda _: None))
    assert 0 < figures["start_s"] < 60
    assert 0 < figures["first_start_s"] < 60
    assert figures["memory_mb"] > figures["largest_service_mb"] == max(figures["memory_mb_by_service"].values())
    assert {(name,) for name in figures["memory_mb_by_service"]} == set(one_each())


@pytest.mark.long
def test_two_of_every_service_are_measured_beside_one():
    figures = asyncio.run(bench_replicas(1.0, lambda _: None))
    assert figures["one_per_s"] > 0
    assert figures["two_to_one"] == round(figures["two_per_s"] / figures["one_per_s"], 3)


@pytest.mark.long
def test_tickets_are_measured_on_real_servers():
    figures = asyncio.run(bench_tickets(1.0, 2000, lambda _: None))
    assert figures["commands_per_s"] > 0
    assert figures["tickets"] >= 2000
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert 0 < figures["chain_ms"] <= figures["chain_p99_ms"]
    chains = [figures[f"chain_{member}_ms"] for member in ("ticket", "issue", "part", "conversation", "account")]
    assert figures["chain_ms"] == max(chains)
    assert min(chains) > 0
    assert 0 < figures["tracker_ms"] <= figures["tracker_p99_ms"]
    assert figures["handlings_per_command"] > 1
    assert figures["ratio_to_raw"] > 0
