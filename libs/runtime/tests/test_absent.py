"""What a service can do without it does not load, and whoever wants it afterwards finds it."""

import subprocess
import sys

SEEN = """
import sys
import deskstream.runtime.__main__
print([name for name in sys.modules if name.partition(".")[0] == "rich"])
import rich.console
print(rich.console.Console.__name__)
"""

BEFORE = """
import rich
from deskstream.runtime.absent import absent
with absent("rich"):
    import rich.console
print(rich.console.Console.__name__)
"""


def said(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


def test_a_service_process_does_not_load_what_only_terminals_need():
    assert said(SEEN) == ["[]", "Console"]


def test_what_is_there_already_stays():
    assert said(BEFORE) == ["Console"]
