"""A network of its own for a process, at the end of a virtual cable that can be taken down; only root may lay one."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network

import psutil

RANGE = IPv4Network("198.18.0.0/15")
"""Addresses that are for measuring only, so that nobody's network has them."""
LAST_METRIC = 9999
"""Of a route that is taken when there is no other."""


@dataclass(frozen=True)
class Link:
    """The cable and the network namespace at its far end have the same `name`."""

    name: str
    near: str
    """The address at this end, where whoever is inside finds everybody else."""
    far: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What a command begins with that is to run at the far end."""
        return ("ip", "netns", "exec", self.name)

    def take_down(self) -> None:
        """Nothing gets through, and nobody is told."""
        _ip("link", "set", self.name, "down")

    def put_up(self) -> None:
        """Everything gets through again."""
        _ip("link", "set", self.name, "up")


@contextmanager
def own_link(number: int) -> Iterator[Link | None]:
    """Laid until the block is left; None where that is not allowed. `number` tells apart those of one process."""
    with ExitStack() as stack:
        yield _laid(stack, f"ds{os.getpid()}n{number}") if os.geteuid() == 0 and shutil.which("ip") else None


def _laid(stack: ExitStack, name: str) -> Link | None:
    network = _free_network()
    near, far = (str(address) for address in network.hosts())
    try:
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "del", name)
        _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        stack.callback(_ip, "link", "del", name)
        # What finds the cable down must not look for its far end by another way.
        _ip("route", "add", "unreachable", str(network), "metric", str(LAST_METRIC))
        stack.callback(_ip, "route", "del", "unreachable", str(network))
        for end, address, device in (((), near, name), (("-n", name), far, "eth0")):
            _ip(*end, "addr", "add", f"{address}/{network.prefixlen}", "dev", device)
            _ip(*end, "link", "set", device, "up")
        _ip("-n", name, "link", "set", "lo", "up")
    except subprocess.CalledProcessError:
        stack.close()
        return None
    return Link(name, near, far)


def _free_network() -> IPv4Network:
    taken = {one.address for addresses in psutil.net_if_addrs().values() for one in addresses}
    while True:
        network = IPv4Network((int(RANGE.network_address) + 4 * random.randrange(RANGE.num_addresses // 4), 30))
        if taken.isdisjoint(map(str, network.hosts())):
            return network


def _ip(*what: str) -> None:
    subprocess.run(["ip", *what], check=True, capture_output=True)
