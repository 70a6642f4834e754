"""The load of the fault runs: seeded, mixed, and each thread in order."""

from collections import Counter, defaultdict
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from deskstream.cli.faults.load import WINDOW, Load, Mail, mixed
from deskstream.contracts.inbound import InboundMessage

WINDOWS = 100


def mails_of(seed):
    load = Load(seed)
    return [mail for _ in range(WINDOWS) for mail in load.window()] + load.rest()


def test_the_same_seed_makes_the_same_mails_and_another_others():
    assert mails_of(7) == mails_of(7)
    assert mails_of(7) != mails_of(8)


def test_some_are_new_some_are_answers_some_come_twice_and_some_are_broken():
    mails = mails_of(1)
    first = [mail for mail in mails if not mail.copy]
    assert len(first) == WINDOWS * WINDOW
    assert 0.01 < sum(mail.broken for mail in first) / len(first) < 0.06
    assert 0.15 < sum(mail.copy for mail in mails) / len(first) < 0.25
    assert set(Counter(mail.external_id for mail in mails).values()) == {1, 2}
    sizes = Counter(mail.thread for mail in first if not mail.broken)
    assert 1 in sizes.values()
    assert max(sizes.values()) > 5


def test_an_answer_names_the_mail_that_its_thread_had_last():
    threads: dict[int, list[str]] = defaultdict(list)
    for mail in mails_of(2):
        if not (mail.broken or mail.copy):
            references = InboundMessage.model_validate_json(mail.body).thread.references
            assert references == tuple(threads[mail.thread][-1:])
            threads[mail.thread].append(mail.external_id)


def test_some_come_again_much_later():
    places: dict[str, list[int]] = defaultdict(list)
    load = Load(3)
    for window in range(WINDOWS):
        for mail in load.window():
            places[mail.external_id].append(window)
    apart = [last - first for first, *rest in places.values() for last in rest]
    assert apart.count(0) > len(apart) / 2
    assert max(apart) > 30


@given(st.lists(st.integers(1, 4), max_size=30), st.integers())
def test_mixing_keeps_every_thread_in_order(threads, seed):
    mails = [Mail(str(number), thread, b"") for number, thread in enumerate(threads)]
    after = mixed(mails, Random(seed))
    assert sorted(after, key=lambda mail: int(mail.external_id)) == mails
    for thread in set(threads):
        assert [m for m in after if m.thread == thread] == [m for m in mails if m.thread == thread]
