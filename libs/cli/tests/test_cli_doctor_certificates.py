"""O5: certificates that run out are told in time, and what mends each."""

from datetime import UTC, datetime, timedelta

import pytest

from deskstream.cli.doctor.certificates import examine_certificates
from deskstream.cli.doctor.finding import Level
from deskstream.cli.permissions.certificates import Authority
from deskstream.runtime.privileges.credentials import Credentials
from deskstream.runtime.settings import RuntimeSettings

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path):
    """As the operator's container has it: his own certificate, and by which he knows NATS."""
    authority, own = Authority(tmp_path), Credentials(tmp_path)
    authority.certify_user(own.certificate_file("operator"), own.key_file("operator"), "operator")
    return RuntimeSettings(credentials=tmp_path)


def told(settings, **later):
    return [(one.level, one.sentence, one.mend) for one in examine_certificates(settings, NOW + timedelta(**later))]


def test_good_ones_are_told_with_their_end(settings):
    [(level, sentence, mend)] = told(settings)
    assert (level, mend) == (Level.FINE, "")
    assert sentence.startswith("2 are good until ")
    first = datetime.fromisoformat(f"{sentence.split()[4]}T00:00:00+00:00")
    assert timedelta(days=823) < first - NOW < timedelta(days=826)


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        pytest.param(794, Level.FINE, "are good until", id="31 days before its end nothing is to be done"),
        pytest.param(796, Level.WARNING, "operator.crt runs out on", id="in its last 30 days it can be renewed"),
        pytest.param(826, Level.WRONG, "operator.crt has run out on", id="afterwards nobody is let in with it"),
    ],
)
def test_ones_own(settings, days, level, words):
    [(found, sentence, mend)] = told(settings, days=days)
    assert (found, words in sentence) == (level, True)
    assert ("provision --permissions" in mend) is (level is not Level.FINE)


def test_the_authority_takes_everybody_along(settings):
    [authority, _] = told(settings, days=3651)
    assert authority[0] is Level.WRONG
    assert "remove ca.key and ca.crt" in authority[2]


@pytest.mark.parametrize("content", ["", "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_named(settings, tmp_path, content):
    (tmp_path / "operator.crt").write_text(content)
    [(level, sentence, _)] = told(settings)
    assert level is Level.WRONG
    assert "operator.crt is no certificate" in sentence


def test_without_tls_nothing_is_told(tmp_path):
    assert told(RuntimeSettings(credentials=tmp_path)) == []
    assert told(RuntimeSettings()) == []
