"""The checker of the fault runs finds every promise broken on purpose: one that cannot fail would prove nothing."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskstream.cli.faults.breaking.victims import Planted
from deskstream.cli.faults.command import LATE, exit_code
from deskstream.cli.faults.publisher import Published
from deskstream.cli.faults.record import Applied, Leftovers, Record
from deskstream.cli.faults.verdict import Breach, disordered, judge
from deskstream.cli.problem import WRONG

THREADS = {1: ["a1", "a2", "a3"], 2: ["b1", "b2"]}
PUBLISHED = Published(threads=THREADS, broken=1)
IN_ORDER = [
    Applied("A", 1, "a1"),
    Applied("A", 2, "a2"),
    Applied("A", 4, "a3"),
    Applied("B", 1, "b1"),
    Applied("B", 2, "b2"),
]
KEPT = Record(
    applied=IN_ORDER,
    visible=Counter(["a1", "a2", "a3", "b1", "b2"]),
    owners=Counter(["A", "B"]),
    clocks=Counter(["A", "B"]),
    fates={"applied": 5, "duplicate": 2, "rejected": 1},
    archived=8,
    stored=8,
)


def but(**changed):
    return replace(KEPT, **changed)


def with_left(**left):
    return but(left=Leftovers(**left))


def test_a_run_that_kept_its_promises_is_passed():
    verdict = judge(PUBLISHED, KEPT)
    assert (verdict.accepted, verdict.effects) == (5, 5)
    assert (verdict.lost, verdict.duplicates, verdict.order_violations) == (0, 0, 0)
    assert verdict.breaches == []


@pytest.mark.parametrize(
    ("record", "promise", "said"),
    [
        pytest.param(but(applied=IN_ORDER[:-1]), "P1", "1 accepted and lost: b2", id="P1: a mail is lost"),
        pytest.param(
            but(applied=[*IN_ORDER, Applied("B", 3, "b2")]), "P2", "1 applied more than once: b2",
            id="P2: a mail is applied twice in its conversation",
        ),
        pytest.param(
            but(applied=[*IN_ORDER, Applied("C", 1, "b2")]), "P2", "1 applied more than once: b2",
            id="P2: a mail is applied in two conversations",
        ),
        pytest.param(
            but(applied=[*IN_ORDER, Applied("C", 1, "x")]), "P2", "1 applied and never accepted: x",
            id="P2: a mail comes out of nothing",
        ),
        pytest.param(
            but(owners=Counter(["A", "B", "B"])), "P2", "1 conversations without exactly one owner: B (2 times)",
            id="P2: an owner is chosen twice",
        ),
        pytest.param(
            but(owners=Counter(["A"])), "P2", "1 conversations without exactly one owner: B (0 times)",
            id="P1: no owner is chosen",
        ),
        pytest.param(
            but(clocks=Counter(["A", "B", "C"])), "P2", "1 conversations without exactly one clock: C (1 times)",
            id="P2: a clock runs for no conversation",
        ),
        pytest.param(
            but(visible=Counter(["a1", "a1", "a2", "a3", "b1", "b2"])), "P2", "1 mails not shown exactly once",
            id="P2: the inbox shows a mail twice",
        ),
        pytest.param(
            but(visible=Counter(["a1", "a2", "a3", "b1"])), "P2", "1 mails not shown exactly once: b2 (0 times)",
            id="P1: the inbox lacks a mail",
        ),
        pytest.param(
            but(gaps=["sla: events.sla A has 2 events from 1 to 3"]), "P3", "1 keys with broken sequences: sla",
            id="P3: a sequence has a gap",
        ),
        pytest.param(
            but(overtaken=["conversation: 2 of A after 3"]), "P3", "1 shown after a later one: conversation: 2 of A",
            id="P3: the inbox took in an event after a later one",
        ),
        pytest.param(
            with_left(dead=1, why=("crm: dead in events.ingest: KeyError",)), "P6", "1 dead: crm: dead",
            id="P6: one is dead",
        ),
        pytest.param(with_left(waiting=2), "P5", "2 still waiting", id="P5: something waits for ever"),
        pytest.param(with_left(unpublished=3), "P5", "3 said and not yet published", id="P5: events stay unpublished"),
        pytest.param(
            with_left(unread=("sla has read events.conversation to 4 of 5",)), "P5", "1 readers behind: sla",
            id="P5: a reader is behind",
        ),
        pytest.param(but(stored=9), "P7", "the stream holds 9", id="P7: a stored message was never received"),
        pytest.param(
            but(fates={"applied": 5, "duplicate": 1, "rejected": 1}), "P7", "ingest counts 7",
            id="P7: received is more than applied, duplicate and rejected",
        ),
        pytest.param(
            but(fates={"applied": 6, "duplicate": 1, "rejected": 1}), "P7", "ingest applied 6, conversation 5",
            id="P7: what ingest applied, conversation never heard",
        ),
        pytest.param(
            but(fates={"applied": 5, "duplicate": 3, "rejected": 0}), "P7", "0 rejected of 1 that were broken",
            id="P7: a broken one vanished",
        ),
    ],
)  # fmt: skip
def test_a_broken_promise_is_found(record, promise, said):
    found = [(one.promise, one.what) for one in judge(PUBLISHED, record).breaches]
    assert any(name == promise and said in what for name, what in found), found


@pytest.mark.parametrize(
    ("kept", "gone"),
    [
        pytest.param({("crm", "planted-1"), ("routing", "planted-2")}, [], id="P6: unreadable ones are kept"),
        pytest.param({("crm", "planted-1")}, ["planted-2 in routing"], id="P6: one vanished"),
        pytest.param({("crm", "planted-1"), ("crm", "planted-2")}, ["planted-2 in routing"], id="P6: kept by another"),
    ],
)
def test_what_nobody_can_read_must_be_kept(kept, gone):
    planted = [Planted("crm", "planted-1"), Planted("routing", "planted-2")]
    breaches = judge(PUBLISHED, but(kept=frozenset(kept)), planted).breaches
    assert [(one.promise, one.what) for one in breaches] == [
        ("P6", f"1 unreadable and not kept: {one}") for one in gone
    ]


@pytest.mark.parametrize(
    ("applied", "violations"),
    [
        pytest.param([("A", 1, "a1"), ("A", 2, "a3"), ("A", 3, "a2")], 1, id="two mails changed places"),
        pytest.param([("A", 1, "a3"), ("A", 2, "a2"), ("A", 3, "a1")], 2, id="all came backwards"),
        pytest.param([("A", 1, "a1"), ("B", 1, "a2"), ("B", 2, "a3")], 2, id="an early answer opened a second one"),
        pytest.param([("A", 1, "a1"), ("A", 2, "b1"), ("A", 3, "b2")], 2, id="a strange thread got in"),
        pytest.param([("A", 1, "a2"), ("A", 2, "a3")], 0, id="one lost is not one out of order"),
    ],
)  # fmt: skip
def test_disorder_is_counted(applied, violations):
    assert len(disordered(THREADS, [Applied(*one) for one in applied])) == violations


@given(st.permutations(["m1", "m2", "m3", "m4"]))
def test_only_the_published_order_is_in_order(order):
    applied = [Applied("A", number, mail) for number, mail in enumerate(order, 1)]
    assert (disordered({1: ["m1", "m2", "m3", "m4"]}, applied) == []) == (order == sorted(order))


@pytest.mark.parametrize(
    ("promises", "code"),
    [
        pytest.param(["P5", "P5"], LATE, id="P5: only late"),
        pytest.param(["P1"], WRONG, id="P1: lost"),
        pytest.param(["P5", "P2"], WRONG, id="P2: late, and doubled"),
        pytest.param(["P7", "P5"], WRONG, id="P7: miscounted, and late"),
    ],
)
def test_what_was_only_late_is_told_apart_from_what_no_second_run_excuses(promises, code):
    assert exit_code([Breach(promise, "something", "somewhere") for promise in promises]) == code
