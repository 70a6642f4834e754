"""What comes out on stdout."""

import json
import logging

import pytest
import structlog

from deskstream.runtime.logs import configure_logging


@pytest.fixture(autouse=True)
def logging_as_before():
    root, ours = logging.getLogger(), logging.getLogger("deskstream")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_is_a_json_object_with_time_level_and_logger(capsys):
    configure_logging("json")
    structlog.get_logger("deskstream.sla").info("handled", key="k", outcome="applied")
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "handled",
        "level": "info",
        "logger": "deskstream.sla",
        "key": "k",
        "outcome": "applied",
    }


def test_what_people_wrote_and_who_they_are_is_never_logged(capsys):
    configure_logging("json")
    log = structlog.get_logger("deskstream.crm")
    log.info("handled", body="Dear sirs", Email="a@example.com", message={"text": "x", "size": 3}, payload=b"abc")
    (line,) = lines(capsys)
    assert line["body"] == line["Email"] == "[redacted]"
    assert line["message"] == {"text": "[redacted]", "size": 3}
    assert line["payload"] == "[3 bytes]"


def test_the_row_of_a_broken_constraint_is_left_out_of_tracebacks(capsys):
    configure_logging("json")
    try:
        raise ValueError("duplicate key\nDETAIL:  Key (email)=(a@example.com) already exists.")
    except ValueError:
        structlog.get_logger("deskstream.crm").exception("failed")
    (line,) = lines(capsys)
    assert "duplicate key" in line["exception"]
    assert "example.com" not in line["exception"].rpartition("ValueError")[2]


def test_others_are_heard_from_warning_on_in_the_same_form(capsys):
    configure_logging("json")
    logging.getLogger("nats.aio").info("chatter")
    logging.getLogger("uvicorn.error").warning("port %d is taken", 80)
    assert [line["event"] for line in lines(capsys)] == ["port 80 is taken"]


def test_our_level_can_be_chosen(capsys):
    configure_logging("json", level="warning")
    structlog.get_logger("deskstream.sla").info("handled")
    assert lines(capsys) == []


def test_a_terminal_gets_readable_lines(capsys):
    configure_logging("console")
    structlog.get_logger("deskstream.sla").info("handled", key="k")
    assert "handled" in (out := capsys.readouterr().out)
    assert not out.startswith("{")


def test_what_is_no_terminal_gets_json(capsys):
    configure_logging("auto")
    structlog.get_logger("deskstream.sla").info("handled")
    assert lines(capsys)[0]["event"] == "handled"
