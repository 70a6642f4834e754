"""What ingest is told by the environment, and what it says when it is not told."""

import pytest

from deskstream.contracts.ingest import CountInbound
from deskstream.ingest.app import SERVICE
from deskstream.ingest.config import Settings
from deskstream.messaging import On
from deskstream.runtime.settings import SettingsError, read_settings

SECRET = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch):
    for name in ("THREAD_SECRET", "THREAD_SECRET_FILE", "INGEST_SUSPICIOUS_WORDS"):
        monkeypatch.delenv(f"DESKSTREAM_{name}", raising=False)


def test_the_secret_itself(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", SECRET)
    settings = read_settings(Settings)
    assert settings.thread_secret.get_secret_value() == SECRET
    assert SECRET not in repr(settings)


def test_the_secret_in_a_file(monkeypatch, tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET_FILE", str(path))
    assert read_settings(Settings).thread_secret.get_secret_value() == SECRET


@pytest.mark.parametrize(
    "secret",
    [pytest.param(None, id="none"), pytest.param("", id="an empty one"), pytest.param("short", id="a short one")],
)
def test_without_a_secret_it_does_not_start_and_says_how(monkeypatch, secret):
    if secret is not None:
        monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", secret)
    with pytest.raises(SettingsError, match=r"DESKSTREAM_THREAD_SECRET: .*at least 16 .*openssl rand"):
        read_settings(Settings)


def test_a_file_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET_FILE", str(tmp_path / "gone"))
    with pytest.raises(SettingsError, match="DESKSTREAM_THREAD_SECRET_FILE"):
        read_settings(Settings)


def test_unwanted_words_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", SECRET)
    monkeypatch.setenv("DESKSTREAM_INGEST_SUSPICIOUS_WORDS", "casino, online pharmacy,,")
    assert read_settings(Settings).ingest_suspicious_words == ("casino", "online pharmacy")


def test_it_hears_what_it_declares(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", SECRET)
    built = SERVICE.build(read_settings(Settings))
    assert [hears.lane for hears in built.hears if isinstance(hears, On)] == list(SERVICE.hears) == ["inbound"]
    assert [answer.kind for answer in built.answers] == [CountInbound]
    assert SERVICE.exclusive
