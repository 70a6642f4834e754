"""Which channels there are, and what follows from it: lanes, streams, durables."""

from importlib.metadata import entry_points

import pytest

from deskstream.messaging.topology import Durable, topology
from deskstream.runtime.channels import ExtraChannels, adapters_elsewhere, channels_that_send
from deskstream.runtime.schemas import installed_services
from deskstream.runtime.settings import SettingsError, read_settings

EXTRA = "DESKSTREAM_EXTRA_CHANNELS"


@pytest.fixture
def extra(monkeypatch):
    return lambda listed: monkeypatch.setenv(EXTRA, listed)


@pytest.mark.parametrize(
    ("listed", "channels"),
    [
        pytest.param("", (), id="nothing named: nothing extra"),
        pytest.param("pager", ("pager",), id="one"),
        pytest.param(" pager, fax ,,pager", ("pager", "fax"), id="several, each once, blanks do not count"),
    ],
)
def test_extra_channels(extra, listed, channels):
    extra(listed)
    assert read_settings(ExtraChannels).extra_channels == channels


@pytest.mark.parametrize("listed", ["Pager", "pa.ger", "pager>", "../x", "p" * 33, "pager fax", "é"])
def test_what_no_channel_can_be_called_is_told_by_the_variable(extra, listed):
    extra(listed)
    with pytest.raises(SettingsError, match=EXTRA):
        adapters_elsewhere()


def test_n1_a_channel_named_in_the_environment_has_lane_stream_and_durable(extra):
    extra("pager")
    services = installed_services()
    assert "outbound.pager" in services["conversation"].says
    assert "channel_pager" not in services
    made = topology([*services.values(), *adapters_elsewhere()])
    assert "OUTBOUND_PAGER" in {stream.name for stream in made.streams}
    assert Durable("OUTBOUND_PAGER", "channel_pager") in made.durables


def test_an_installed_channel_is_not_declared_a_second_time(extra):
    extra("email")
    assert adapters_elsewhere() == []
    assert installed_services()["conversation"].says.count("outbound.email") == 1


def test_replies_leave_by_mail_by_what_is_installed_and_by_what_is_named():
    names = entry_points(group="deskstream.services").names
    installed = {name.removeprefix("channel_") for name in names if name.startswith("channel_")}
    assert channels_that_send(["pager"]) == {"email", "pager"} | installed


def test_an_adapter_elsewhere_cannot_be_run(extra):
    extra("pager")
    (pager,) = adapters_elsewhere()
    with pytest.raises(RuntimeError, match="runs elsewhere"):
        pager.build(pager.settings())
