"""The page that lists what is broken on purpose says what there is, and every promise is named by a test."""

import re
from pathlib import Path

import pytest

from deskstream.cli.faults.breaking import KINDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/break-on-purpose.md").read_text()
PROMISES = {
    1: ("tests/faults/test_fault_run.py", "a_short_run_loses_nothing_repeats_nothing_and_keeps_every_order"),
    2: ("tests/faults/test_fault_run.py", "floods_of_a_thousand_copies_have_one_effect_each_and_hold_up_nobody"),
    3: ("tests/faults/test_inbound_order.py", "an_answer_after_a_crash_stays_in_its_thread"),
    4: ("tests/faults/test_fault_run.py", "streams_and_journals_that_tell_different_stories_fit_again"),
    5: ("tests/faults/test_nats_cluster.py", "the_leader_is_killed_six_times_and_every_broker_restarted"),
    6: ("libs/messaging/tests/test_dead_letters.py", "a_dead_letter_is_retried_in_order_after_a_fix"),
    7: ("tests/scenarios/test_foreign_tools.py", "received_is_applied_and_duplicate_and_rejected_and_nothing_waits"),
    8: ("tests/faults/test_late_timers.py", "what_came_due_meanwhile_fires_once_within_five_seconds_of_the_recovery"),
    10: ("tests/faults/test_overload.py", "commands_beyond_the_limit_are_told_to_come_back_and_the_others_are_kept"),
    11: ("tests/faults/test_rolling_restart.py", "a_rolling_restart_costs_clients_nothing_but_retried_503s"),
    17: ("services/channel_email/tests/test_email_sending.py", "the_11th_automatic_message_within_an_hour_stays_here"),
    18: ("libs/contracts/tests/test_contracts_laws.py", "a_reader_of_n_copes_with_the_fields_of_n_plus_1"),
    20: ("tests/faults/test_fault_run.py", "a_loop_that_stands_still_is_noticed_from_outside_and_nothing_is_lost"),
}
"""Each promise of the message path, and the test that shows it best: a file, and what its name says after `p1_`."""


def test_the_page_lists_every_kind_of_fault():
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(KINDS)


def test_every_test_that_the_page_names_is_there():
    named = re.findall(r"\| `(\S+/test_\w+\.py)` \|", PAGE)
    assert named
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_of_the_message_path_is_named_by_its_test(promise):
    path, says = PROMISES[promise]
    named = re.compile(rf"^(?:async )?def test_(?:p\d+_)*p{promise}_(?:p\d+_)*{says}\(", re.MULTILINE)
    assert len(named.findall((ROOT / path).read_text())) == 1
