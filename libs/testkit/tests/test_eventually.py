"""Waiting for a condition."""

import pytest

from deskstream.testkit.eventually import eventually


async def test_it_returns_the_first_true_answer():
    answers = iter([None, 0, "", "there"])
    assert await eventually(lambda: next(answers)) == "there"


async def test_it_awaits_a_coroutine_and_takes_a_failed_assertion_for_not_yet():
    tries = []

    async def third_time():
        tries.append(1)
        assert len(tries) == 3, "too early"
        return len(tries)

    assert await eventually(third_time) == 3


async def test_when_time_is_up_it_says_what_it_saw_last():
    with pytest.raises(AssertionError, match=r"the mail did not come true within 0\.05 s; last: it answered \[\]"):
        await eventually(list, within=0.05, what="the mail")


async def test_any_other_error_is_not_waited_for():
    def broken():
        raise LookupError("no such table")

    with pytest.raises(LookupError):
        await eventually(broken)
