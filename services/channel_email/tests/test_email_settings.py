"""What the environment may say, and how a wrong value is refused."""

import pytest

from deskstream.channel_email.app import SERVICE, build
from deskstream.channel_email.config import Settings
from deskstream.channel_email.rules import Rules
from deskstream.contracts.outbound import OutboundMessage
from deskstream.messaging import Deliver
from deskstream.runtime.settings import SettingsError, read_settings
from deskstream.testkit.certificates import self_signed

SECRET = "0123456789abcdef"


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", SECRET)
    return lambda **values: [monkeypatch.setenv(f"DESKSTREAM_{name}", value) for name, value in values.items()]


def test_everything_but_the_secret_has_a_default(environment):
    settings = read_settings(Settings)

    assert settings.rules.inboxes == {"support@example.org": "support"}
    assert settings.relay_url is None
    assert SECRET not in repr(settings)


def test_lists_are_separated_by_commas(environment):
    environment(
        EMAIL_INBOXES="Support@Example.org=support, feedback@example.org=feedback",
        EMAIL_AGENTS="Anna@ourcompany.example, @team.example",
        EMAIL_LISTS="Help.groups.example",
        EMAIL_AUTHSERV="MX.example.org",
        EMAIL_COMPANY="Acme",
    )

    assert read_settings(Settings).rules == Rules(
        inboxes={"support@example.org": "support", "feedback@example.org": "feedback"},
        secret=SECRET,
        agents=frozenset({"anna@ourcompany.example", "@team.example"}),
        lists=frozenset({"help.groups.example"}),
        authserv="mx.example.org",
        names=("acme",),
    )


def test_secrets_may_lie_in_files(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "relay").write_text("smtps://u:p@relay\n")
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("DESKSTREAM_EMAIL_RELAY_FILE", str(tmp_path / "relay"))
    settings = read_settings(Settings)

    assert settings.rules.secret == SECRET
    assert settings.relay_url == "smtps://u:p@relay"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("THREAD_SECRET", "short", id="a short secret"),
        pytest.param("EMAIL_INBOXES", "support", id="an inbox without an address"),
        pytest.param("EMAIL_INBOXES", "a+b@example.org=x", id="an address with a plus"),
        pytest.param("EMAIL_INBOXES", f"{'a' * 24}@example.org=x", id="an address too long for a token"),
        pytest.param("EMAIL_LISTEN", "2525", id="a port alone"),
        pytest.param("EMAIL_LISTEN", "0.0.0.0:99999", id="no such port"),
        pytest.param("EMAIL_RELAY", "relay:25", id="a relay without a scheme"),
        pytest.param("EMAIL_CATCH_ALL", "no inbox", id="an inbox with a space"),
        pytest.param("EMAIL_READERS", "0", id="no readers"),
    ],
)
def test_a_wrong_value_is_refused_by_name(environment, name, value):
    environment(**{name: value})

    with pytest.raises(SettingsError, match=f"DESKSTREAM_{name}"):
        read_settings(Settings)


def test_a_certificate_needs_its_key(environment, tmp_path):
    environment(EMAIL_TLS_CERTIFICATE=str(self_signed(tmp_path).certificate))

    with pytest.raises(SettingsError, match="DESKSTREAM_EMAIL_TLS_KEY"):
        read_settings(Settings)


def test_the_declaration_holds(environment):
    service = build(read_settings(Settings))

    assert service.provider is not None
    assert service.hears == [Deliver(OutboundMessage, "outbound.email")]
    assert SERVICE.hears == ("outbound.email",)
    assert SERVICE.says == ("inbound.email",)
