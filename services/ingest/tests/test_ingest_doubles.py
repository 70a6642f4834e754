"""What comes more than once: repeated, doubled or refused, without a database."""

from dataclasses import replace
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskstream.ingest.domain import Arrived, Breach, Broken, Doubled, Known, Repeated
from services.ingest.tests.filings import THREAD, filed, knows, message


def test_a_message_the_archive_has_is_repeated():
    incoming = message()
    assert filed(incoming, known=Known(archived={incoming.id})) == [Repeated(incoming.id)]


def test_one_stored_message_delivered_twice_in_a_batch_is_repeated():
    incoming = message()
    first, second = filed(incoming, incoming)
    assert isinstance(first, Arrived)
    assert second == Repeated(incoming.id)


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param([message(publish=1)], id="of an earlier batch"),
        pytest.param([message("0"), message(publish=1), message(publish=2)], id="and again"),
    ],
)
def test_the_same_message_published_again_is_a_double_of_the_first(batch):
    *_, found = filed(*batch, known=knows("1"))
    assert found == Doubled(
        batch[-1].id, "email", "support", external_id="1", original_id=UUID(int=1), thread_id=THREAD
    )


def test_a_double_within_a_batch_names_the_first():
    first, second = filed(message(), message(publish=2))
    assert isinstance(first, Arrived)
    assert isinstance(second, Doubled)
    assert (second.original_id, second.thread_id) == (message().id, first.thread_id)


def test_the_same_id_on_another_channel_is_another_message():
    assert all(isinstance(found, Arrived) for found in filed(message(), message(channel="slack")))


def test_an_id_used_before_for_another_message_is_refused():
    [found] = filed(message(says=b"other"), known=knows("1"))
    assert isinstance(found, Broken)
    assert found.breach == Breach("external_id", "used before for another message", "1")


def test_a_refused_message_does_not_take_the_id():
    found = filed(message(says=b"a"), message(says=b"b"), message(says=b"a", publish=2))
    assert [type(one) for one in found] == [Arrived, Broken, Doubled]


NAMES = st.sampled_from(["a", "b", "c", "d"])
PUBLISHES = st.builds(
    lambda name, says, answers, channel: message(name, says=says, channel=channel, references=answers),
    NAMES,
    st.sampled_from([b"hello", b"other"]),
    st.lists(NAMES, max_size=2).map(tuple),
    st.sampled_from(["email", "slack"]),
)


@given(publishes=st.lists(PUBLISHES, min_size=1, max_size=8), data=st.data())
def test_any_order_and_any_repeats_apply_the_same_external_ids(publishes, data):
    redelivered = data.draw(st.lists(st.sampled_from(publishes)))
    published_again = [
        replace(one, id=uuid5(one.id, "again")) for one in data.draw(st.lists(st.sampled_from(publishes)))
    ]
    disorder = data.draw(st.permutations([*publishes, *redelivered, *published_again]))
    assert applied(filed(*disorder)) == applied(filed(*publishes))


def applied(found):
    names = [(one.channel, one.message.external_id) for one in found if isinstance(one, Arrived)]
    assert len(names) == len(set(names))
    return set(names)
