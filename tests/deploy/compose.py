"""docker-compose as the tests use it: a project of its own name, ports, secrets and images, and what is left of it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deskstream.runtime.embedded.processes import free_port

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "docker-compose.yml", ROOT / "tests/deploy/compose.test.yml")
LABEL = "com.docker.compose.project"
BUILD_WITHIN_S = 1500
SERVERS = ("nats", "postgres")
ONCE = ("roles", "migrate", "provision")


def read_file() -> dict[str, Any]:
    """docker-compose.yml, its anchors resolved and its variables not."""
    with FILES[0].open() as file:
        content: dict[str, Any] = yaml.safe_load(file)
    return content


def services() -> list[str]:
    """Those that run on: neither servers nor what runs once."""
    return sorted(set(read_file()["services"]) - {*SERVERS, *ONCE})


def docker(*arguments: str, within: float = 60) -> str:
    """What the engine's own command says. Raises AssertionError with its words when it fails."""
    return _said(["docker", *arguments], dict(os.environ), within)


@dataclass
class Compose:
    """One project."""

    project: str
    secrets: Path
    http_port: int = field(default_factory=free_port)
    smtp_port: int = field(default_factory=free_port)

    def __call__(self, *arguments: str, within: float = 180) -> str:
        command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        files = [part for file in FILES for part in ("-f", str(file))]
        return _said([*command, "-p", self.project, *files, *arguments], self._environment(), within)

    def make_secrets(self) -> str:
        """As whoever deploys does it."""
        return self.run(str(ROOT / "deploy/make-secrets"), str(self.secrets))

    def run(self, *command: str) -> str:
        """A command on this machine, told which images are ours."""
        return _said(list(command), self._environment(), 120)

    def token(self) -> str:
        """By which the HTTP API knows us."""
        return (self.secrets / "gateway/gateway_token").read_text()

    def states(self) -> dict[str, dict[str, Any]]:
        """By service, what the engine knows of its container."""
        ids = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={self.project}").split()
        found = json.loads(docker("inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def is_up(self, service: str) -> bool:
        """Whether it is ready, asked just now; of a server, whether its container says so."""
        container = self.states()[service]
        if service in SERVERS:
            state = container["State"]
            return state.get("Health", {}).get("Status", state["Status"]) in ("healthy", "running")
        probe = ["docker", "exec", container["Id"], "python", "-m", "deskstream.runtime.probe"]
        return subprocess.run(probe, capture_output=True, timeout=60).returncode == 0

    def log(self, service: str) -> list[dict[str, Any]]:
        """What the service has logged since its container was made."""
        container = self.states()[service]["Id"]
        lines = docker("logs", container).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def memory(self) -> dict[str, float]:
        """MiB in use, by service."""
        names = {state["Name"].lstrip("/"): service for service, state in self.states().items()}
        running = [name for name, service in names.items() if service not in ONCE]
        lines = docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *running).splitlines()
        return {names[line.split()[0]]: _mebibytes(line.split()[1]) for line in lines}

    def left(self) -> list[str]:
        """Containers, networks and volumes that still exist."""
        having = ("--filter", f"label={LABEL}={self.project}")
        kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
        return [line for kind in kinds for line in docker(*kind, "--quiet", *having).split()]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DESKSTREAM_IMAGES": "deskstream-test",
            "DESKSTREAM_SECRETS": str(self.secrets),
            "DESKSTREAM_HTTP_ON": f"127.0.0.1:{self.http_port}",
            "DESKSTREAM_SMTP_ON": f"127.0.0.1:{self.smtp_port}",
        }


@contextmanager
def project(folder: Path) -> Iterator[Compose]:
    """A project whose images are built; taken down with everything that it kept."""
    compose = Compose(f"deskstream-test-{os.getpid()}", folder / "secrets")
    compose("build", within=BUILD_WITHIN_S)
    compose.make_secrets()
    try:
        yield compose
    finally:
        compose("down", "--volumes", "--remove-orphans", "--timeout", "30")


def _said(command: list[str], environment: dict[str, str], within: float) -> str:
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=within)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def _mebibytes(text: str) -> float:
    units = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0}
    return float(text[:-3]) * units[text[-3:]]
