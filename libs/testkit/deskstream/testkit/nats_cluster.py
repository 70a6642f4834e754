"""Three nats-servers on loopback that form a cluster, each of which a test can kill and start again."""

from __future__ import annotations

import json
import signal
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskstream.runtime.embedded.home import Home
from deskstream.runtime.embedded.processes import Running, born, free_port, spawn, wait_until

SIZE = 3
_STOP = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
_ALIVE_WITHIN = 20.0


@dataclass
class Member:
    """One server; its ports and store stay its own over restarts."""

    name: str
    folder: Path
    port: int
    monitor_port: int
    route_port: int
    running: Running | None = None

    def configuration(self, routes: list[str]) -> dict[str, Any]:
        """What the server reads."""
        return {
            "server_name": self.name,
            "listen": f"127.0.0.1:{self.port}",
            "http": f"127.0.0.1:{self.monitor_port}",
            "jetstream": {"store_dir": str(self.folder), "max_file_store": 1024**3},
            "cluster": {"name": "deskstream", "listen": f"127.0.0.1:{self.route_port}", "routes": routes},
        }


@dataclass
class NatsCluster:
    """Started and stopped as a whole, or a member at a time."""

    folder: Path
    members: list[Member] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(SIZE):
            folder = self.folder / f"n{number}"
            folder.mkdir()
            self.members.append(Member(f"n{number}", folder, free_port(), free_port(), free_port()))

    @property
    def urls(self) -> str:
        """All members, as DESKSTREAM_NATS_URL names them."""
        return ",".join(f"nats://127.0.0.1:{member.port}" for member in self.members)

    def start(self) -> None:
        """Starts all members; returns when the streams of each are healthy."""
        for member in self.members:
            self.start_member(member)
        for member in self.members:
            self.wait_for(member)

    def start_member(self, member: Member) -> None:
        """Starts one again, on its own store."""
        routes = [f"nats-route://127.0.0.1:{one.route_port}" for one in self.members]
        config = member.folder / "nats.conf"
        config.write_text(json.dumps(member.configuration(routes)))
        program = Home(self.folder, user=None).nats_server
        pid = spawn([program, "-c", config], user=None, room=member.folder, log=member.folder / "nats.log")
        member.running = Running(pid, born(pid), member.port, member.monitor_port)

    def wait_for(self, member: Member) -> None:
        """Returns when a member takes part again and has caught up."""
        if not wait_until(lambda: _healthy(member), within=_ALIVE_WITHIN):
            raise AssertionError(f"{member.name} is not healthy after {_ALIVE_WITHIN:g} s")

    def stop(self) -> None:
        """Stops all members."""
        for member in self.members:
            self.stop_member(member)

    def stop_member(self, member: Member, *, kill: bool = False) -> None:
        """Stops one, in good order or by force."""
        if member.running is not None:
            member.running.stop(_STOP[1:] if kill else _STOP)

    def member(self, name: str) -> Member:
        """The member of that name, as the servers call it."""
        return next(member for member in self.members if member.name == name)


def _healthy(member: Member) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{member.monitor_port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
