"""The one form of a link, whatever way it is spelled, as browsers take it; and all links that a word may hold."""

import re
from collections.abc import Iterable, Iterator
from itertools import combinations, islice
from typing import Final, NamedTuple

_BEGINNINGS: Final = 8
_PARTS: Final = 16
_LINK_LIMIT: Final = 2048
_LABEL_LIMIT: Final = 63

# A link may lead to another, and stand behind a word that says what it is.
_SCHEME: Final = re.compile(r":/+")
_WITHOUT_SCHEME: Final = re.compile(r"[=,;]|:(?!/)|(?<![:/])//|(?<![:/])/(?=[^/?#&;]{1,255}\.[^/?#&;]{1,63}/)")
_NOISE: Final = re.compile(r"[\W_]*")
_AUTHORITY_ENDS: Final = re.compile(r"[/?#&;]")
_PORT: Final = re.compile(r":0*(?:80|443)?$")
_PARAMETERS: Final = re.compile(r"[?&;]")
_STOPS: Final = re.compile(r"[,!]|\.(?=[^\W\d_])")
_STOPS_LIMIT: Final = 4
_FRAGMENT_ENDS: Final = re.compile(r"[/?&]")
_EMPHASIS: Final = "*_~"
# How programs that send mails follow who reads them.
_FOLLOWING: Final = re.compile(
    r"(?:utm_\w+|(?:fb|dc|g|y)clid|gbraid|wbraid|msclkid|mc_[ce]id|mkt_tok|_hs(?:enc|mi)|igshid|oly_\w+_id)(?:=|$)"
)
# Where on its page somebody was looking.
_PLACE: Final = re.compile(
    r"(?:[a-z]*comments?|notes?|discussion|reply|post|history|activity|event|top)(?:[-_=]\w{1,64}|\d{1,20})?|[clr]\d{1,20}"
)
_FRONT_PAGE: Final = re.compile(r"(?:index|default)\.(?:html?|php|aspx?)")
_FEW_PARAMETERS: Final = 8


class _Parts(NamedTuple):
    host: str
    segments: list[str]
    parameters: list[str]
    """In order, each once."""
    fragment: str


def link_form(link: str) -> str:
    """Without scheme, user, default port, `www.`, empty and dotted path segments; its parameters in order.

    Nor what tells only how somebody came there, or which comment he read. Takes small letters, decoded. Two spellings
    of one link have one form.
    """
    host, segments, parameters, fragment = _split(_without_scheme(link))
    issue = bool(segments or parameters)
    return _joined("/".join((host, *segments)), parameters, "" if issue and _PLACE.fullmatch(fragment) else fragment)


def link_forms(word: str) -> Iterator[str]:
    """The forms of a link, of what it leads to, and of what it goes on from: a comment below an issue names it."""
    head = word[:_LINK_LIMIT]
    for found in islice(_SCHEME.finditer(head), _BEGINNINGS):
        yield from _forms(_split(word[found.end() :]))
    without_scheme = (found.end() for found in islice(_WITHOUT_SCHEME.finditer(head), _BEGINNINGS))
    for begin in (0, *without_scheme):
        parts = _split(word[begin:])
        # Any word may be a host only where a scheme says so.
        if "." in parts.host:
            yield from _forms(parts)


def _forms(parts: _Parts) -> Iterator[str]:
    host, segments, parameters, fragment = parts
    yield _trimmed(host)
    path = host
    for segment in segments[:_PARTS]:
        # A sentence may go on without a blank.
        for found in islice(_STOPS.finditer(segment), _STOPS_LIMIT):
            yield _trimmed(f"{path}/{segment[: found.start()]}")
        path = f"{path}/{segment}"
        yield _trimmed(path)
    path = "/".join((host, *segments))
    yield _joined(path, parameters, "")
    for some in _few_of(parameters):
        yield _joined(path, some, "")
    if fragment:
        ends = [found.start() for found in islice(_FRAGMENT_ENDS.finditer(fragment), _PARTS)]
        for part in (fragment, *(fragment[:end] for end in ends)):
            yield _joined(path, [], part)
            yield _joined(path, parameters, part)


def _few_of(parameters: list[str]) -> Iterator[list[str]]:
    """A link may have been given more parameters than the one that is looked for."""
    for parameter in parameters[:_PARTS]:
        yield [parameter]
    if len(parameters) <= _FEW_PARAMETERS:
        for size in range(2, len(parameters)):
            yield from map(list, combinations(parameters, size))


def _without_scheme(link: str) -> str:
    scheme = _SCHEME.search(link)
    return link[scheme.end() :] if scheme and link[: scheme.start()].isalnum() else link


def _split(link: str) -> _Parts:
    link = _trimmed(link[:_LINK_LIMIT])
    ends = _AUTHORITY_ENDS.search(link)
    authority, rest = (link[: ends.start()], link[ends.start() :]) if ends else (link, "")
    rest, _, fragment = rest.partition("#")
    path, *parameters = _PARAMETERS.split(rest)
    ordered = sorted(one for one in set(parameters) if one and not _FOLLOWING.match(one))
    return _Parts(_host(authority), _segments(path.split("/")), ordered, _trimmed(fragment))


def _host(authority: str) -> str:
    host = _PORT.sub("", authority.rpartition("@")[2])
    name, colon, port = host.partition(":")
    labels = (_label(label) for label in name.rstrip(".").split("."))
    return ".".join(labels).removeprefix("www.") + colon + port


def _label(label: str) -> str:
    """As people read it: `xn--bcher-kva` is `bücher`."""
    if not label.startswith("xn--") or len(label) > _LABEL_LIMIT:
        return label
    try:
        return label[4:].encode("ascii").decode("punycode").casefold()
    except UnicodeError:
        return label


def _segments(path: Iterable[str]) -> list[str]:
    found: list[str] = []
    for segment in path:
        if segment == "..":
            del found[-1:]
        elif segment != "." and (plain := segment.strip(_EMPHASIS)):
            found.append(plain)
    return found[:-1] if found and _FRONT_PAGE.fullmatch(found[-1]) else found


def _joined(path: str, parameters: list[str], fragment: str) -> str:
    query = f"?{'&'.join(parameters)}" if parameters else ""
    return _trimmed(f"{path}{query}{f'#{fragment}' if fragment else ''}")


def _trimmed(link: str) -> str:
    """Without the punctuation around it."""
    return _from_a_word_on(_from_a_word_on(link)[::-1])[::-1]


def _from_a_word_on(text: str) -> str:
    noise = _NOISE.match(text)
    return text[noise.end() :] if noise else text
