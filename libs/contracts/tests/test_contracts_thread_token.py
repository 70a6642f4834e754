"""The signed reply token: what we signed is read back, and nothing else is."""

import base64
import re
import string
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from deskstream.contracts.ids import ConversationId
from deskstream.contracts.thread_token import Purpose, Thread, read, sign

SECRET = "a secret for tests"
ONE, TWO = ConversationId(UUID(int=1)), ConversationId(UUID(int=2))
CONVERSATIONS = st.uuids().map(ConversationId)
PURPOSES = st.sampled_from(Purpose)
OTHER = string.ascii_lowercase + string.digits + "=+-_. \n\0äſİK"


@given(CONVERSATIONS, PURPOSES)
def test_what_was_signed_is_read_back(conversation, purpose):
    token = sign(conversation, SECRET, purpose)
    assert read(token, SECRET) == Thread(conversation, purpose)
    assert re.fullmatch(r"[a-z2-7]{40}", token)


@given(CONVERSATIONS, PURPOSES)
def test_n3_mail_servers_may_change_its_case(conversation, purpose):
    token = sign(conversation, SECRET, purpose)
    assert read(token.upper(), SECRET) == read(token.title(), SECRET) == Thread(conversation, purpose)


@given(CONVERSATIONS, PURPOSES, st.integers(0, 39), st.sampled_from(OTHER))
def test_p15_any_changed_character_makes_it_nobody_s(conversation, purpose, place, other):
    token = sign(conversation, SECRET, purpose)
    assume(other.lower() != token[place])
    assert read(token[:place] + other + token[place + 1 :], SECRET) is None


@given(CONVERSATIONS, st.integers(0, 39))
def test_p15_a_cut_off_token_is_nobody_s(conversation, length):
    assert read(sign(conversation, SECRET)[:length], SECRET) is None


@given(CONVERSATIONS, st.text(min_size=1, max_size=5))
def test_p15_a_longer_token_is_nobody_s(conversation, more):
    token = sign(conversation, SECRET)
    assert read(token + more, SECRET) is None
    assert read(more + token, SECRET) is None


@given(CONVERSATIONS, st.text(max_size=40))
def test_p15_another_secret_reads_nothing(conversation, secret):
    assume(secret != SECRET)
    assert read(sign(conversation, secret), SECRET) is None


@given(st.text(max_size=60))
def test_whatever_stands_in_an_address_is_no_token(text):
    assert read(text, SECRET) is None


def test_p15_a_signature_does_not_serve_another_conversation():
    ours, theirs = sign(ONE, SECRET), sign(TWO, SECRET)
    assert read(theirs[:27] + ours[27:], SECRET) is None


def test_p15_an_answer_cannot_be_turned_into_its_opposite():
    solved = sign(ONE, SECRET, Purpose.SOLVED)
    assert read(f"{solved[:26]}n{solved[27:]}", SECRET) is None


@pytest.mark.parametrize("token", ["", "=" * 40, "a" * 40, "a" * 1_000_000, base64.b32encode(b"x" * 25).decode()])
def test_hostile_tokens_are_nobody_s(token):
    assert read(token, SECRET) is None
