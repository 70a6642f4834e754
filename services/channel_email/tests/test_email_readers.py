"""The child processes: what a mail may cost, what becomes of a child that is ended, and of its mail."""

import asyncio
import subprocess
import sys
import time

import psutil
import pytest

from deskstream.channel_email.parse.parsed import Unreadable
from deskstream.channel_email.parse.pool import Readers, ReadersBusy

GOOD = b"From: Anna <anna@acme.example>\r\nMessage-ID: <1@acme.example>\r\n\r\nHello\r\n"


def slow_mail():
    """Nested parts whose boundaries all begin like the 20 MB of lines inside, which every level looks at anew."""
    levels = b"".join(
        b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (b"b" * n, b"b" * n) for n in range(1, 19)
    )
    return b"From: a@b.example\r\n" + levels + b"\r\n" + b"\n--bbbbbbbbbbbbbbbbbbbbbbb!" * 800_000


def child(program):
    """A child that runs this program instead of the reader."""
    return (sys.executable, "-c", program)


ANSWERS_NONSENSE = child("import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(b'\\0\\0\\0\\2{}'); sys.exit()")
SAYS_TOO_MUCH = child("import sys; sys.stdin.buffer.read(4); sys.stdout.buffer.write(b'\\xff\\xff\\xff\\xff')")
KILLS_ITSELF = child("import os, sys; sys.stdin.buffer.read(4); os.kill(os.getpid(), 9)")
HANGS = child("import time; time.sleep(60)")


async def test_a_mail_is_read_with_its_files():
    raw = (
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x\r\n"
        b'Content-Type: application/pdf; name="a.pdf"\r\n\r\nPDF\r\n--x\r\nContent-Type: image/png\r\n\r\nPNG\r\n--x--'
    )
    async with Readers(1).running() as readers:
        mail, contents = await readers.read(raw)

    assert [file.name for file in mail.files] == ["a.pdf", "attachment-2.png"]
    assert contents == (b"PDF", b"PNG")


async def test_many_mails_at_once_share_the_children():
    async with Readers(2).running() as readers:
        read = await asyncio.gather(*(readers.read(GOOD.replace(b"Hello", b"%d" % n)) for n in range(50)))

    assert [mail.text for mail, _ in read] == [str(n) for n in range(50)]


async def test_p16_a_mail_gets_2_seconds_and_the_next_a_fresh_child():
    async with Readers(1).running() as readers:
        began = time.monotonic()
        with pytest.raises(Unreadable) as refused:
            await readers.read(slow_mail())
        took = time.monotonic() - began
        mail, _ = await readers.read(GOOD)

    assert refused.value.code == "took_too_long"
    assert took > 1.9
    assert mail.text == "Hello"


def test_p16_a_child_gets_256_mib():
    program = "from deskstream.channel_email.parse.__main__ import _limit; _limit(); bytearray(256 * 1024 * 1024)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "MemoryError" in ended.stderr


async def test_the_biggest_mail_fits_into_the_limits():
    line = b"QUJD" * 19 + b"\r\n"
    raw = (
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhi\r\n--x\r\n"
        b"Content-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    raw += line * ((25 * 1024 * 1024 - len(raw) - 10) // len(line)) + b"--x--\r\n"
    async with Readers(1).running() as readers:
        mail, contents = await readers.read(raw)
        again, _ = await readers.read(raw)

    assert mail.files[0].size == len(contents[0]) > 18_000_000
    assert again == mail


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(ANSWERS_NONSENSE, id="answers nonsense"),
        pytest.param(SAYS_TOO_MUCH, id="announces 4 GB"),
        pytest.param(KILLS_ITSELF, id="is killed"),
        pytest.param(child(""), id="ends at once"),
    ],
)
async def test_a_mail_that_ends_every_child_is_refused(command):
    async with Readers(1, command=command).running() as readers:
        with pytest.raises(Unreadable) as refused:
            await readers.read(GOOD)

    assert refused.value.code == "unreadable"


async def test_a_child_that_does_not_answer_is_nobody_s_fault():
    async with Readers(1, command=HANGS, within=0.3).running() as readers:
        with pytest.raises(ReadersBusy):
            await readers.read(GOOD)


async def test_a_caller_who_goes_away_costs_no_child_its_place():
    async with Readers(1).running() as readers:
        reading = asyncio.create_task(readers.read(slow_mail()))
        await asyncio.sleep(0.2)
        reading.cancel()
        mail, _ = await asyncio.wait_for(readers.read(GOOD), 10)

    assert mail.text == "Hello"
    assert reading.cancelled()


async def test_p16_the_child_sees_no_secret(monkeypatch):
    monkeypatch.setenv("DESKSTREAM_THREAD_SECRET", "do not tell")
    tells = child(
        "import os, sys, json; sys.stdin.buffer.read(4); "
        "said = json.dumps({'code': 'x', 'sentence': repr(sorted(os.environ))}).encode(); "
        "sys.stdout.buffer.write(len(said).to_bytes(4, 'big') + said)"
    )
    async with Readers(1, command=tells).running() as readers:
        with pytest.raises(Unreadable) as told:
            await readers.read(GOOD)

    assert "DESKSTREAM" not in told.value.sentence


def is_reader(child):
    # Other tests' children may be dead and not yet buried.
    try:
        return "deskstream.channel_email.parse" in child.cmdline()
    except psutil.Error:
        return False


async def test_no_child_outlives_its_parent_s_interest():
    async with Readers(2).running() as readers:
        await asyncio.gather(*(readers.read(GOOD) for _ in range(4)))
        children = [found for found in psutil.Process().children() if is_reader(found)]

    assert len(children) == 2
    assert not [found for found in children if found.is_running()]
