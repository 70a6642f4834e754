"""Processes that are kept running: what they say does not mix with the answer of the program that keeps them."""

import pytest

from deskstream.testkit.eventually import eventually
from deskstream.testkit.processes import supervised


async def test_what_a_kept_process_says_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    async with supervised("this") as process:
        await eventually(lambda: process.deaths, within=20)

    said = capfd.readouterr()
    assert said.out == ""
    assert "Beautiful is better than ugly." in said.err
