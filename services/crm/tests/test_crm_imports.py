import io
from contextlib import suppress
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskstream.contracts.crm import SaveAccount, SaveContact
from deskstream.crm.identities import AddressRules
from deskstream.crm.imports import NotImportable, Rejected, Row, read_rows

RULES = AddressRules()


def read(text, **more):
    content = text if isinstance(text, bytes) else text.encode()
    return list(read_rows(io.BytesIO(content), rules=RULES, **more))


def commands(found):
    return [row.command for row in found if isinstance(row, Row)]


def rejections(found):
    return [(row.line, row.column) for row in found if isinstance(row, Rejected)]


ACME = SaveAccount(
    name="Acme", domains=("acme.com", "acme.de"), stage="customer", tier="gold", priority="high", default_owner="anna",
    workspaces=("Production", "Staging EU"),
)  # fmt: skip
ZOE = SaveContact(email="zoe@acme.com", name="Zoe", phone="+491711234567", account="Acme", workspace="Production")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "account,domains,stage,tier,priority,default_owner,workspaces\n"
            'Acme,"acme.com, Acme.de",customer,gold,high,anna,Production;Staging EU\n',
            [ACME],
            id="accounts",
        ),
        pytest.param(
            "email,name,phone,account,workspace\nZoe@acme.com,Zoe,+49 171 1234567,Acme,Production\n",
            [ZOE],
            id="contacts",
        ),
        pytest.param(
            "account,email\nAcme,\nAgency,\n,a@x.org\nAcme,b@x.org\n",
            [SaveAccount(name="Acme"), SaveAccount(name="Agency"), SaveContact(email="a@x.org"),
             SaveContact(email="b@x.org", account="Acme")],
            id="both kinds, row by row",
        ),
        pytest.param(
            "email,account,domains\na@acme.com,Acme,acme.com\nb@acme.com,Acme,acme.com\n",
            [SaveAccount(name="Acme", domains=("acme.com",)), SaveContact(email="a@acme.com", account="Acme"),
             SaveContact(email="b@acme.com", account="Acme")],
            id="a list of contacts that repeats their account",
        ),
        pytest.param("E-Mail;Name\r\na@x.org;A\r\n", [SaveContact(email="a@x.org", name="A")], id="semicolons, CRLF"),
        pytest.param("email\tname\na@x.org\tA, B\n", [SaveContact(email="a@x.org", name="A, B")], id="tabs"),
        pytest.param("sep=|\nemail|name\na@x.org|A\n", [SaveContact(email="a@x.org", name="A")], id="Excel says which"),
        pytest.param("\ufeffEmail\na@x.org\n", [SaveContact(email="a@x.org")], id="a byte order mark"),
        pytest.param("\n\n email , NAME \n\n , \na@x.org, A \n", [SaveContact(email="a@x.org", name="A")], id="blanks"),
        pytest.param("email\na@x.org", [SaveContact(email="a@x.org")], id="no line break at the end"),
        pytest.param("email,name,phone\na@x.org\n", [SaveContact(email="a@x.org")], id="empty cells left off"),
        pytest.param(
            'account,workspaces\n"Acme\nInc ""X""","A\nB"\n',
            [SaveAccount(name='Acme\nInc "X"', workspaces=("A", "B"))],
            id="line breaks and quotation marks in quotes",
        ),
        pytest.param(
            "account,tier\n=cmd|' /C calc'!A0,@SUM(1)\n'=1+1,'gold\n",
            [SaveAccount(name="=cmd|' /C calc'!A0", tier="@SUM(1)"), SaveAccount(name="=1+1", tier="'gold")],
            id="a formula is text; the mark our exports put before it is taken off",
        ),
        pytest.param(
            "account,Default Owner,Domain\nAcme,anna,bücher.example\n",
            [SaveAccount(name="Acme", default_owner="anna", domains=("xn--bcher-kva.example",))],
            id="columns as people name them",
        ),
        pytest.param("email\n", [], id="a header only"),
    ],
)  # fmt: skip
def test_what_is_read(text, expected):
    found = read(text)
    assert (commands(found), rejections(found)) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("email\nno address\n", [(2, "email")], id="an address that is none"),
        pytest.param("account,domains\nAcme,gmail.com\n", [(2, "domains")], id="G4: free mail"),
        pytest.param("account,domains\nAcme,a.com;co.uk\n", [(2, "domains")], id="a public suffix"),
        pytest.param("account,stage,priority\nAcme,gone,1\n", [(2, "stage"), (2, "priority")], id="all that is wrong"),
        pytest.param("account,default_owner\nAcme,Anna S.\n", [(2, "default_owner")], id="no agent's handle"),
        pytest.param("email,phone\na@x.org,0171\n", [(2, "phone")], id="no number"),
        pytest.param("account,tier\n,gold\n", [(2, "account")], id="an account without a name"),
        pytest.param("account,email,name\nAcme,,Zoe\n", [(2, "email")], id="a contact without an address"),
        pytest.param("email,x,y\n,1,2\n", [(1, "x"), (1, "y"), (2, "")], id="nothing that is known"),
        pytest.param("email,domians\na@x.org,acme.com\n", [(1, "domians")], id="an unknown column is named"),
        pytest.param("email,name\na@x.org,A,B\n", [(2, "")], id="more cells than columns"),
        pytest.param("account\n" + "x" * 201 + "\n", [(2, "account")], id="huge: a name of 201 letters"),
        pytest.param("email,name\na@x.org," + "x" * 201, [(2, "name")], id="huge: a contact's name"),
        pytest.param(
            "account,domains\nA," + ";".join(f"a{n}.com" for n in range(51)), [(2, "domains")], id="51 domains"
        ),
        pytest.param("account\n\u200b\n", [(2, "account")], id="hostile: a name of nothing visible"),
        pytest.param(b"email,name\na@x.org,M\xfcller\n", [(2, "name")], id="wrong encoding, by cell"),
        pytest.param("email,name\na@x.org,A\na@x.org,A\n", [(3, "email")], id="the same row again"),
        pytest.param("email,name\na@x.org,A\nA@X.ORG,B\n", [(3, "email")], id="the same contact otherwise"),
        pytest.param("account\nAcme\nacme\n", [(3, "account")], id="the same account in another case"),
        pytest.param("account,domains\nAcme,a.com\nAcme,b.com\n", [(3, "account")], id="the same account otherwise"),
        pytest.param("account,domains\nA,a.com\nB,b.com A.com\n", [(3, "domains")], id="a domain for two accounts"),
        pytest.param('email,name\na@x.org,"A"B\nb@x.org,B\n', [(2, "")], id="no CSV"),
    ],
)
def test_what_is_rejected(text, expected):
    found = read(text)
    assert rejections(found) == expected
    assert all(row.reason for row in found if isinstance(row, Rejected))
    for row in found:
        assert isinstance(row, Rejected) or row.line not in [line for line, _ in expected]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"\n\n  \n", "empty", id="blank lines"),
        pytest.param(b"Acme,acme.com\n", "no header", id="no header"),
        pytest.param(b"name,phone\nZoe,1\n", "no header", id="a header without account or email"),
        pytest.param(b"email,E-Mail\n", "twice", id="a column twice"),
        pytest.param("email\na@x.org\n".encode("utf-16"), "UTF-8", id="UTF-16"),
        pytest.param("email\na@x.org\n".encode("utf-16-le"), "UTF-8", id="UTF-16 without a mark"),
        pytest.param(b"PK\x03\x04\x14\x00\x06\x00\x08\x00", "no header", id="a spreadsheet's own format"),
        pytest.param(b'"email\n' + b"x\n" * 100, "not closed", id="a header that never ends"),
        pytest.param(b"email\ra@x.org\r", "new-line", id="line breaks of an old Mac"),
        pytest.param(b"x" * 3_000_000, "longer", id="huge: one line of 3 MB"),
    ],
)
def test_what_cannot_be_imported_at_all(content, reason):
    with pytest.raises(NotImportable, match=reason):
        read(content)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        pytest.param(b'a@x.org,"never closed\n', 3, id="a quotation mark that is not closed"),
        pytest.param(b"a@x.org," + b"x" * 2_000_000 + b"\n", 3, id="a line of 2 MB"),
        pytest.param(b'a@x.org,"' + b"x" * 200_000 + b'"\n', 3, id="a cell of 200 KB"),
        pytest.param(b"a@x.org,\xff\xfe\0\n", 3, id="bytes that are no text"),
    ],
)
def test_damage_costs_its_own_line_only(damage, line):
    rows = b"".join(b"b%d@x.org,B\n" % n for n in range(200))
    found = read(b"email,name\nz@x.org,Z\n" + damage + rows)
    assert {row.line for row in found if isinstance(row, Rejected)} == {line}
    assert len(commands(found)) == 201
    assert [row.line for row in found] == list(range(2, 204))


def test_p12_the_same_file_has_the_same_keys_and_another_has_others():
    text = "account,email\nAcme,\n,a@x.org\n,b@x.org\n"
    keys = [row.idempotency_key for row in read(text)]
    assert len(set(keys)) == 3
    assert [row.idempotency_key for row in read(text)] == keys
    assert [row.idempotency_key for row in read(text + ",c@x.org\n")][:3] == keys
    assert [row.idempotency_key for row in read(text.replace("a@", "c@"))][:1] == keys[:1]
    assert not set(keys[1:]) & {row.idempotency_key for row in read(text.replace("a@", "c@"))}
    assert not set(keys) & {row.idempotency_key for row in read(text, attempt="2")}
    assert all(len(key) <= 200 for key in keys)


def test_a_row_with_both_has_a_key_for_each():
    account, contact = read("account,tier,email\nAcme,gold,a@x.org\n")
    assert account.line == contact.line == 2
    assert account.idempotency_key != contact.idempotency_key


class Endless(io.BytesIO):
    """A file that counts how much of it was asked for."""

    def __init__(self, lines):
        super().__init__()
        self.lines, self.asked = lines, 0

    def readline(self, size=-1):
        self.asked += 1
        return next(self.lines, b"")


def test_rows_are_read_as_they_are_asked_for():
    endless = Endless(chain([b"email\n"], (b"a%d@x.org\n" % n for n in range(10**9))))
    rows = read_rows(endless, rules=RULES)
    assert commands(next(rows) for _ in range(2)) == [SaveContact(email="a0@x.org"), SaveContact(email="a1@x.org")]
    assert endless.asked < 10


@pytest.mark.slow
def test_100_000_rows():
    lines = chain([b"email,name,account\n"], (b"a%d@x.org,A %d,Acme\n" % (n, n) for n in range(100_000)))
    assert sum(isinstance(row, Row) for row in read_rows(Endless(lines), rules=RULES)) == 100_000


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=300) | st.text(alphabet='email,;"\n\r\t=x@.org\0ü', max_size=200).map(str.encode))
def test_whatever_comes_is_read_or_rejected(content):
    found = read(b"email,name,account,domains\n" + content)
    for row in found:
        assert isinstance(row, Rejected | Row)
        assert row.line >= 1


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200))
def test_whatever_file_comes_has_an_end(content):
    with suppress(NotImportable):
        read(content)
