"""What goes wrong without being a bug: told in one sentence, without a traceback."""

from typing import Final

WRONG: Final = 1
"""Exit code: something was found to be wrong, or could not be done."""
MISUSED: Final = 2
"""Exit code: the command was given something it cannot use."""


class Problem(Exception):
    """Ends the command. `sentence` says what is wrong and what to do; `code` is the exit code."""

    def __init__(self, sentence: str, *, code: int = WRONG) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


class NoAnswer(Problem):
    """A server does not answer; it may be starting."""


def misused(sentence: str) -> Problem:
    """The problem of somebody who gave a command something that it cannot use."""
    return Problem(sentence, code=MISUSED)
