"""The one exception by which business says no."""


class Refused(Exception):
    """A message or command that the rules do not allow.

    `code` is a stable slug that programs compare; `sentence` says what is wrong and what to do instead; `details`
    carries what a screen needs to show the way out (JSON values only).
    """

    def __init__(self, code: str, sentence: str, **details: object) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.details = details
