"""S10, vectors 1 and 2, on all real services whose clock is somewhere else."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from deskstream.contracts.inbound import Identity, InboundMessage

pytestmark = pytest.mark.slow

BERLIN = ZoneInfo("Europe/Berlin")
UNDO = timedelta(seconds=1)
THURSDAY = datetime(2026, 4, 30, 16, 30, tzinfo=BERLIN)
MONDAY = datetime(2026, 5, 4, 9, 20, tzinfo=BERLIN)
DUE = datetime(2026, 5, 4, 9, 30, tzinfo=BERLIN)


def offset_to(moment):
    return moment - datetime.now(UTC)


@pytest.fixture
def office_hours(monkeypatch):
    for name, value in {
        "ZONE": "Europe/Berlin",
        "HOURS": "mon-fri 09:00-12:00 13:00-17:00",
        "COUNTRY": "DE",
        "FIRST_RESPONSE_MINUTES": "60",
    }.items():
        monkeypatch.setenv(f"DESKSTREAM_SLA_{name}", value)


def clock(shown):
    (only,) = shown["clocks"]
    return only


def seconds_from(moment, text):
    return abs((datetime.fromisoformat(text) - moment).total_seconds())


async def test_s10_1_2_over_a_holiday_weekend_fifty_open_minutes_pass_and_sixty_would_do(
    open_desk, broker, office_hours
):
    message = InboundMessage(external_id="w@sakura.example", sender=Identity(email="yuki@sakura.example"), text="Help.")
    async with open_desk(offset_to(THURSDAY)) as desk:
        await broker.jetstream().publish("inbound.email.support", message.model_dump_json().encode())
        shown = await desk.when("CONV-1", lambda it: it["clocks"], "a clock")
        assert seconds_from(THURSDAY, clock(shown)["started_at"]) < 10
        assert seconds_from(DUE, clock(shown)["due_at"]) < 10
    async with open_desk(offset_to(MONDAY - UNDO)) as desk:
        assert (await desk.reply("CONV-1", "clara", "Fixed.")).status_code == 202
        stopped = clock(await desk.when("CONV-1", lambda it: clock(it)["outcome"], "an outcome"))
        assert stopped["outcome"] == "met"
        assert stopped["business_minutes"] == pytest.approx(50, abs=0.2)
        assert stopped["calendar_minutes"] == pytest.approx(5330, abs=0.2)
        (explained,) = (await desk.api.get("/api/conversations/CONV-1/clocks")).json()["clocks"]
        (segment,) = explained["segments"]
        assert [window["seconds"] for window in segment["windows"]] == pytest.approx([30 * 60, 20 * 60], abs=10)
        assert sum(window["seconds"] for window in segment["windows"]) == explained["business_seconds"]
