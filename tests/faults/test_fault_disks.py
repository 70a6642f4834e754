"""The small disks of the fault runs fill up and empty, also while somebody writes to them."""

import os
import threading

import pytest

from deskstream.cli.faults.disks import small_disk

PIECE = b"x" * 4096
ROUNDS = 20


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("only root mounts disks")
        yield disk


def write(path):
    with path.open("ab") as file:
        file.write(PIECE * 16)


def test_a_full_disk_takes_nothing_and_one_with_room_again_does(disk):
    write(disk.folder / "one")
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        write(disk.folder / "two")
    disk.free()
    write(disk.folder / "two")
    assert sorted(path.name for path in disk.folder.iterdir()) == ["one", "two"]


def test_a_disk_is_filled_while_somebody_writes(disk):
    stop = threading.Event()

    def go_on():
        with (disk.folder / "growing").open("wb", buffering=0) as file:
            while not stop.is_set():
                try:
                    file.write(PIECE)
                except OSError:
                    os.ftruncate(file.fileno(), 0)
                    file.seek(0)

    writers = [threading.Thread(target=go_on)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(ROUNDS):
            disk.fill()
            disk.free()
    finally:
        stop.set()
        for writer in writers:
            writer.join()
