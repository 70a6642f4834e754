from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from deskstream.contracts import Refused
from deskstream.crm.app import address_rules
from deskstream.crm.config import Settings
from deskstream.crm.domain.names import clean_name, name_key
from deskstream.crm.identities import (
    AddressRules,
    canonical_domain,
    canonical_email,
    canonical_phone,
    mail_domains,
    shipped_free_mail_domains,
    storable,
)


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        ("Anna.Schmidt@ACME.com", "anna.schmidt@acme.com"),
        ("anna@acme.com.", "anna@acme.com"),
        ("ANNA@BÜCHER.example", "anna@xn--bcher-kva.example"),
        ("anna@XN--BCHER-KVA.example", "anna@xn--bcher-kva.example"),
        ("a\u0308nna@x.org", "änna@x.org"),
        ("anna\0@x.org", "\x01anna\\x00@x.org"),
        ("anna@\ud800.org", "anna@\x01\\ud800.org"),
        ("anna@[IPv6:::1]", "anna@[ipv6:::1]"),
    ],
)
def test_how_a_mail_address_is_compared(written, compared):
    assert canonical_email(written) == compared


@pytest.mark.parametrize(
    ("email", "domains"),
    [
        ("a@acme.com", "acme.com"),
        ("a@mail.eu.acme.com", "mail.eu.acme.com eu.acme.com acme.com"),
        ("a@com", ""),
        ("a@[10.0.0.1]", ""),
        ("a@x y.com", ""),
        ("a@acme..com", ""),
        (None, ""),
        ("a@" + "a." * 120 + "com", " ".join("a." * n + "com" for n in range(7, 0, -1))),
    ],
)
def test_which_domains_an_address_may_belong_to(email, domains):
    assert mail_domains(email) == domains


@pytest.mark.parametrize(
    ("written", "region", "compared"),
    [
        ("+49 (0)171 / 123 45-67", None, "+491711234567"),
        ("0171 1234567", "DE", "+491711234567"),
        ("0049 171 1234567", "DE", "+491711234567"),
        ("0171 1234567", None, None),
        ("+49 30 123456 ext. 12", None, "+4930123456;ext=12"),
        ("+39 06 1234 5678", None, "+390612345678"),
        ("+1", None, None),
        ("+49" + "1" * 30, None, None),
        ("ACME", None, None),
        ("", None, None),
    ],
)
def test_how_a_number_is_compared(written, region, compared):
    assert canonical_phone(written, region) == compared


@given(st.text(max_size=60) | st.text(alphabet=st.characters(), max_size=9))
def test_nothing_that_may_be_kept_breaks_the_database(text):
    for kept in (storable(text), canonical_email(f"{text}@{text}"), clean_name(text), name_key(text)):
        assert "\0" not in kept
        kept.encode()


HOSTILE = st.text(alphabet="\0\x01\\x0a1\ud800", max_size=6)


@given(HOSTILE, HOSTILE)
def test_two_ids_never_become_one(one, other):
    assert (storable(one) == storable(other)) == (one == other)


@given(st.text(max_size=300))
def test_a_clean_name_is_clean(text):
    name = clean_name(text)
    assert clean_name(name) == name
    assert len(name) <= 200
    assert name.replace("\u200c", "").replace("\u200d", "").isprintable()


def test_the_shipped_list_is_well_formed_and_says_where_it_comes_from():
    text = files("deskstream.crm").joinpath("free_mail_domains.txt").read_text("utf-8")
    domains = [word for line in text.splitlines() if not line.startswith("#") for word in line.split()]
    assert len(domains) == len(set(domains)) > 1000
    assert all(canonical_domain(domain) == domain == mail_domains(f"a@{domain}").split()[0] for domain in domains)
    suffixes = PublicSuffixList(only_icann=True)
    assert [domain for domain in domains if suffixes.privatesuffix(domain) is None] == []
    assert "# Source:" in text


@pytest.mark.parametrize(
    "domain", ["gmail.com", "GMX.de", "qq.com", "yahoo.co.jp", "web.de", "proton.me", "icloud.com"]
)
def test_g4_free_mail_is_nobodys(domain):
    with pytest.raises(Refused, match="free_mail_domain"):
        AddressRules().company_domain(domain)


def test_an_operator_may_add_free_mail_domains_and_a_region(tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("# our city's\nMail.Springfield.example bücher.example\n")
    rules = address_rules(Settings(free_mail_file=more, phone_region="DE"))
    assert {"mail.springfield.example", "xn--bcher-kva.example"} < rules.free_mail
    assert shipped_free_mail_domains() < rules.free_mail
    assert rules.valid_phone("0171 1234567") == "+491711234567"
