"""The faults, each a coroutine that does its damage and returns when the world is whole again but for recovering."""

from __future__ import annotations

from deskstream.cli.faults.breaking import broker, database, limits, messages, network, processes, stores
from deskstream.cli.faults.breaking.kind import Kind, Spared
from deskstream.cli.faults.breaking.victims import Victims

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("kill_service", processes.kill),
        Kind("kill_at_point", processes.kill_at_point),
        Kind("pause_service", processes.pause),
        Kind("stop_service", processes.stop),
        Kind("stop_in_batch", processes.stop_in_batch),
        Kind("freeze_loop", processes.freeze_loop, takes_s=20),
        Kind("few_descriptors", limits.few_descriptors),
        Kind("little_memory", limits.little_memory, takes_s=6),
        Kind("kill_nats", broker.kill),
        Kind("pause_nats", broker.pause),
        Kind("restart_nats", broker.restart),
        Kind("fill_nats_disk", broker.fill_disk, takes_s=5, needs=lambda victims: victims.nats_disk is not None),
        Kind("lose_nats_store", stores.lose_nats_store, takes_s=5),
        Kind("put_back_nats_store", stores.put_back_nats_store, takes_s=8),
        Kind("kill_postgres", database.kill),
        Kind("pause_postgres", database.pause),
        Kind("restart_postgres", database.restart),
        Kind("end_sessions", database.end_sessions),
        Kind("end_one_session", database.end_one_session),
        Kind("slow_handler", database.slow_handler, takes_s=12),
        Kind(
            "fill_postgres_disk", database.fill_disk, takes_s=5, needs=lambda victims: victims.postgres_disk is not None
        ),
        Kind("put_back_database", stores.put_back_database, takes_s=20),
        Kind("cut_line", network.cut),
        Kind("half_open_line", network.half_open),
        Kind("crawling_line", network.crawl),
        Kind("partition", network.partition, needs=lambda victims: all(service.link for service in victims.services)),
        Kind("lost_publish", network.lose_publish),
        Kind("unreadable_events", messages.unreadable_events),
        Kind("flood_of_copies", messages.flood_of_copies),
    )
}

__all__ = ["KINDS", "Kind", "Spared", "Victims"]
