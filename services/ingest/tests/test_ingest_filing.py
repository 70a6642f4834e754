"""Which thread a message belongs to, and what else becomes of it, without a database."""

from uuid import UUID

import pytest

from deskstream.contracts.ids import object_id
from deskstream.contracts.inbound import ThreadHints
from deskstream.contracts.thread_token import Purpose
from deskstream.ingest.domain import Arrived, Breach, Broken, Incoming, Known, Reported, message_key, thread_key, wanted
from services.ingest.tests.filings import (
    BOUNCE,
    OOO,
    OTHER,
    OURS,
    THREAD,
    filed,
    in_channel_thread,
    knows,
    knows_sent,
    knows_thread,
    message,
    report,
    token,
)


@pytest.mark.parametrize(
    ("incoming", "known", "thread", "via"),
    [
        pytest.param(message(tokens=(token(),)), Known(), OURS, "token", id="N3: a token, though nobody wrote there"),
        pytest.param(
            message(tokens=("garbage", token()[:-1] + "0", "ö" * 40, "", token())),
            Known(),
            OURS,
            "token",
            id="N3: what is no token of ours is passed over",
        ),
        pytest.param(message(tokens=(token().upper(),)), Known(), OURS, "token", id="a mail server's capitals"),
        pytest.param(
            message(tokens=(token(),), references=("0",)),
            knows("0"),
            OURS,
            "token",
            id="N3: a token before a reference",
        ),
        pytest.param(message(references=("0",)), knows("0"), THREAD, "reference", id="N3: an earlier message"),
        pytest.param(message(references=("x", "0")), knows("0"), THREAD, "reference", id="N3: the nearest known one"),
        pytest.param(
            message(references=("sent",)),
            knows_sent("sent"),
            THREAD,
            "reference",
            id="what we sent, by its channel's id",
        ),
        pytest.param(in_channel_thread(thread="t"), knows_thread("t"), THREAD, "thread", id="the channel's own thread"),
        pytest.param(
            in_channel_thread(thread="t", references=("0",)),
            knows("0"),
            THREAD,
            "reference",
            id="a reference before it",
        ),
    ],
)
def test_the_thread_is_found(incoming, known, thread, via):
    [found] = filed(incoming, known=known)
    assert isinstance(found, Arrived)
    assert (found.thread_id, found.via) == (thread, via)


@pytest.mark.parametrize(
    ("incoming", "known"),
    [
        pytest.param(message(), Known(), id="nothing points anywhere"),
        pytest.param(message(references=("0",)), Known(), id="an unknown reference"),
        pytest.param(message(channel="slack", references=("0",)), knows("0"), id="another channel's message"),
        pytest.param(message(tokens=(token(secret="another desk's secret"),)), Known(), id="P15: another desk's token"),
        pytest.param(message(references=("t",)), knows_thread("t"), id="a thread's id is no message's"),
        pytest.param(in_channel_thread(thread="0"), knows("0"), id="a message's id is no thread's"),
        pytest.param(message(automatic=OOO), Known(), id="an out-of-office note out of nowhere"),
    ],
)
def test_anything_else_opens_a_thread_of_its_own(incoming, known):
    [found] = filed(incoming, known=known)
    assert isinstance(found, Arrived)
    assert (found.thread_id, found.via) == (object_id(incoming.id, "thread"), "new")


@pytest.mark.parametrize(
    ("tokens", "automatic", "solved"),
    [
        pytest.param((token(),), None, None, id="C21: an answer in words says neither"),
        pytest.param((token(Purpose.SOLVED),), None, True, id="C21: yes"),
        pytest.param((token(Purpose.NOT_SOLVED),), None, False, id="C21: no"),
        pytest.param((token(), token(Purpose.SOLVED)), None, True, id="C21: yes, behind our message's own token"),
        pytest.param((token(), token(Purpose.SOLVED, OTHER)), None, None, id="C21: yes to another conversation"),
        pytest.param((token(Purpose.SOLVED, secret="forged"), token()), None, None, id="P15: a forged yes"),
        pytest.param((token(Purpose.SOLVED),), OOO, None, id="C9: no person says yes by an out-of-office note"),
    ],
)
def test_a_token_may_say_whether_it_is_solved(tokens, automatic, solved):
    [found] = filed(message(tokens=tokens, automatic=automatic))
    assert isinstance(found, Arrived)
    assert found.solved is solved


def test_a_reply_finds_the_thread_of_a_message_of_its_own_batch():
    first, _, third = filed(message("1"), message("2", references=("1",)), message("3", references=("2",)))
    assert isinstance(first, Arrived)
    assert isinstance(third, Arrived)
    assert first.thread_id == third.thread_id


def test_messages_of_a_channels_thread_stay_together_from_the_first():
    known = Known()
    first, second = filed(in_channel_thread("1"), in_channel_thread("2"), known=known)
    assert isinstance(first, Arrived)
    assert isinstance(second, Arrived)
    assert (first.via, second.via, first.thread_id) == ("new", "thread", second.thread_id)
    assert known.new_links == {thread_key("email", "t"): first.thread_id}


def test_a_thread_found_otherwise_takes_its_name_in_the_channel_along():
    known = knows("0")
    filed(in_channel_thread("1", references=("0",)), known=known)
    assert known.new_links == {thread_key("email", "t"): THREAD}


def test_a_name_in_the_channel_stays_with_its_first_thread():
    known = knows_thread("t")
    [found] = filed(in_channel_thread("1", tokens=(token(),)), known=known)
    assert isinstance(found, Arrived)
    assert found.via == "token"
    assert not known.new_links


def test_an_answer_finds_what_we_sent_by_the_id_in_the_delivery_report():
    reported, answer = filed(report("<sent>"), message(references=("<sent>",)))
    assert isinstance(reported, Reported)
    assert isinstance(answer, Arrived)
    assert answer.thread_id == OURS


def test_the_id_in_a_delivery_report_takes_no_message_from_the_customer():
    _, theirs = filed(report("1"), message("1"))
    assert isinstance(theirs, Arrived)


@pytest.mark.parametrize(
    ("hints", "kept"),
    [
        pytest.param(ThreadHints(tokens=(token(),)), True, id="matched by our own token"),
        pytest.param(ThreadHints(references=("0",)), False, id="forged by somebody who knows a message's id"),
        pytest.param(ThreadHints(tokens=("a" * 40,)), False, id="forged token"),
        pytest.param(ThreadHints(), False, id="of nothing that we sent"),
    ],
)
def test_a_bounce_opens_no_conversation(hints, kept):
    [found] = filed(message(automatic=BOUNCE, hints=hints), known=knows("0"))
    assert isinstance(found, Arrived if kept else Broken)


def test_what_broke_the_contract_keeps_its_reason():
    broken = Incoming(UUID(int=3), "inbound.email.support", "email", "support", b"{", Breach("body", "it is not JSON"))
    assert filed(broken) == [Broken(UUID(int=3), "email", "support", Breach("body", "it is not JSON"))]


def test_everything_that_filing_may_ask_for_is_looked_up():
    batch = [in_channel_thread("1", references=("0",)), report("<sent>")]
    asked = wanted(batch)
    assert asked.archive_ids == [one.id for one in batch]
    assert {message_key("email", name) for name in ("1", "0", "<sent>")} == set(asked.message_keys)
    assert {message_key("email", "0"), message_key("email", "<sent>"), thread_key("email", "t")} == set(asked.link_keys)
