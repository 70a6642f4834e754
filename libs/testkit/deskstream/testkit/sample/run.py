"""Runs the sample services in a process of their own, for tests that kill it: `python -m … DATABASE NATS NAMES…`."""

import asyncio
import sys

import structlog

from deskstream.runtime.launch import run_until_signalled
from deskstream.runtime.settings import RuntimeSettings
from deskstream.testkit.sample.services import COUNTING, SUMMING

if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(20))
    database, nats_url, *names = sys.argv[1:]
    chosen = [service for service in (COUNTING, SUMMING) if service.name in names]
    asyncio.run(run_until_signalled(chosen, RuntimeSettings(nats_url=nats_url, postgres_url=database)))
