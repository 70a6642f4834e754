"""The environment of a process: defaults, secrets from files, and what a wrong value gets."""

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

from deskstream.runtime.settings import RuntimeSettings, SettingsError, read_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in RuntimeSettings.model_fields:
        monkeypatch.delenv(f"DESKSTREAM_{name.upper()}", raising=False)


def test_the_defaults_fit_docker_compose():
    settings = read_settings(RuntimeSettings)
    assert settings.nats_servers == ["nats://nats:4222"]
    assert settings.postgres_dsn == "postgresql://deskstream@postgres:5432/deskstream"
    assert settings.pool_size == 4
    assert settings.health_port == 0


def test_several_brokers_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_NATS_URL", "nats://a:4222,tls://b:4222")
    assert read_settings(RuntimeSettings).nats_servers == ["nats://a:4222", "tls://b:4222"]


def test_the_password_of_a_file_replaces_that_of_the_url(monkeypatch, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("p@ss/word\n")
    monkeypatch.setenv("DESKSTREAM_POSTGRES_URL", "postgresql://me:old@db:1/x?sslmode=disable")
    monkeypatch.setenv("DESKSTREAM_POSTGRES_PASSWORD_FILE", str(secret))
    assert read_settings(RuntimeSettings).postgres_dsn == "postgresql://me:p%40ss%2Fword@db:1/x?sslmode=disable"


def test_an_empty_variable_is_no_variable(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_NATS_SEED_FILE", "")
    assert read_settings(RuntimeSettings).nats_seed_file is None


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        pytest.param("POOL_SIZE", "many", "valid integer", id="a word for a number"),
        pytest.param("POOL_SIZE", "0", "greater than or equal to 1", id="a pool of nothing"),
        pytest.param("HEALTH_PORT", "70000", "less than or equal to 65535", id="a port that does not exist"),
        pytest.param("LOG_FORMAT", "xml", "'auto', 'json' or 'console'", id="an unknown log format"),
        pytest.param("NATS_URL", "http://secret-value", "must be nats:// or tls://", id="a broker that is none"),
        pytest.param("POSTGRES_URL", "secret-value", "must look like postgresql://", id="a database that is none"),
        pytest.param("NATS_SEED_FILE", "/no/secret-value", "No such file or directory", id="a file that is not there"),
    ],
)
def test_a_wrong_value_is_reported_in_one_line_that_names_the_variable(monkeypatch, variable, value, said):
    monkeypatch.setenv(f"DESKSTREAM_{variable}", value)
    with pytest.raises(SettingsError, match=f"^DESKSTREAM_{variable}: ") as raised:
        read_settings(RuntimeSettings)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "secret-value" not in str(raised.value)


class ServiceSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="DESKSTREAM_SHOP_")

    key: str
    sizes: list[int] = []


def test_all_that_is_wrong_is_said_at_once(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_SHOP_SIZES", '["x"]')
    with pytest.raises(SettingsError, match=r"^DESKSTREAM_SHOP_KEY: Field required; DESKSTREAM_SHOP_SIZES\.0: "):
        read_settings(ServiceSettings)


def test_a_list_that_is_not_json_names_its_variable(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_SHOP_SIZES", "[1,")
    with pytest.raises(SettingsError, match=r"^DESKSTREAM_SHOP_SIZES: must be JSON$"):
        read_settings(ServiceSettings)


def test_the_url_with_its_password_does_not_show(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_POSTGRES_URL", "postgresql://me:hidden@db/x")
    assert "hidden" not in repr(read_settings(RuntimeSettings))


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "key"
    file.write_text("from-the-file\n")
    return file


def test_every_variable_may_be_a_file(monkeypatch, secret):
    monkeypatch.setenv("DESKSTREAM_SHOP_KEY_FILE", str(secret))
    assert read_settings(ServiceSettings).key == "from-the-file"


def test_a_variable_and_its_file_are_one_too_many(monkeypatch, secret):
    monkeypatch.setenv("DESKSTREAM_SHOP_KEY_FILE", str(secret))
    monkeypatch.setenv("DESKSTREAM_SHOP_KEY", "secret-value")
    with pytest.raises(SettingsError, match=r"^DESKSTREAM_SHOP_KEY: .* set one of them$"):
        read_settings(ServiceSettings)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "No such file or directory", id="a file that is not there"),
        pytest.param(b"\xff\xfe\x00", "not UTF-8", id="bytes that are no text"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_and_not_shown(monkeypatch, tmp_path, content, said):
    file = tmp_path / "secret-value"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("DESKSTREAM_SHOP_KEY_FILE", str(file))
    with pytest.raises(SettingsError, match=rf"^DESKSTREAM_SHOP_KEY_FILE: .*{said}") as raised:
        read_settings(ServiceSettings)
    assert "secret-value" not in str(raised.value)


def test_a_file_of_the_settings_own_stays_one(monkeypatch, secret):
    monkeypatch.setenv("DESKSTREAM_NATS_SEED_FILE", str(secret))
    assert read_settings(RuntimeSettings).nats_seed_file == secret
