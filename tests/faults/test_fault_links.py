"""A process can be given a network of its own whose cable can be taken down; where that is forbidden it has none."""

import asyncio
import os
import shutil
import sys

import psutil
import pytest

from deskstream.cli.faults.links import own_link
from deskstream.testkit.eventually import eventually

ECHO = """
import socket, sys
with socket.create_server((sys.argv[1], 7777)) as server:
    while True:
        talk, _ = server.accept()
        talk.sendall(b"here")
        talk.close()
"""


def names():
    return {name for name in psutil.net_if_addrs() if name.startswith(f"ds{os.getpid()}")}


async def answers(host):
    """Whether somebody inside says something to somebody outside."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(host, 7777)
            said = await reader.read()
            writer.close()
    except (TimeoutError, OSError):
        return False
    return said == b"here"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="only root with iproute2 lays cables")
async def test_a_cable_taken_down_lets_nothing_through_until_it_is_up_again():
    with own_link(7) as link:
        if link is None:
            pytest.skip("network namespaces are forbidden here")
        process = await asyncio.create_subprocess_exec(*link.inside, sys.executable, "-c", ECHO, link.far)
        await eventually(lambda: answers(link.far))
        link.take_down()
        assert not await answers(link.far)
        link.put_up()
        await eventually(lambda: answers(link.far))
        process.kill()
        await process.wait()
        assert names()
    assert not names()


def test_who_has_no_tools_to_lay_cables_has_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with own_link(7) as link:
        assert link is None


def test_a_cable_that_could_not_be_laid_leaves_nothing_behind(monkeypatch, tmp_path):
    forbidding = tmp_path / "ip"
    forbidding.write_text("#!/bin/sh\necho Operation not permitted >&2; exit 1\n")
    forbidding.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with own_link(7) as link:
        assert link is None
    assert not names()
