"""HTML as it may be shown: no scripts, no forms, nothing loaded from elsewhere unless somebody clicks."""

import re

import nh3

from deskstream.channel_email.parse import html_text, tags

# The sanitiser's time grows with the square of the nesting: 0.15 s at 10,000, 3.5 s at 50,000.
MAX_NESTING = 500

_ATTRIBUTES = {
    "*": set(tags.LAYOUT),
    "a": {"href"},
    "img": {"src", "alt"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "table": {"border", "cellpadding", "cellspacing"},
    "font": {"face", "size"},
    "ol": {"start", "type"},
}
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_PICTURE = re.compile(r"(?:https?://|cid:|data:image/(?:png|jpe?g|gif|webp);base64,)", re.IGNORECASE)
# The sanitiser writes every attribute as ` name="value"` with quotes escaped, so this sees exactly the tags.
_REMOTE_PICTURE = re.compile(r'(<img(?: [a-z-]+="[^"]*")*? )src="(https?://[^"]*)"', re.IGNORECASE)


def sanitise(html: str) -> str | None:
    """The harmless rest, remote pictures as `data-remote-src`; None when it nests too deep to be looked at."""
    if html_text.depth(html) > MAX_NESTING:
        return None
    return _REMOTE_PICTURE.sub(r'\1data-remote-src="\2"', _CLEANER.clean(html)).strip()


def _keep(tag: str, attribute: str, value: str) -> str | None:
    match tag, attribute:
        case "a", "href":
            return value if _LINK.match(value) else None
        case "img", "src":
            return value if _PICTURE.match(value) else None
        case _:
            return value


_CLEANER = nh3.Cleaner(
    tags=set(tags.KEPT),
    clean_content_tags=set(tags.SILENT),
    attributes=_ATTRIBUTES,
    attribute_filter=_keep,
    url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
    url_relative="deny",
    filter_style_properties=set(tags.STYLES),
    link_rel="noopener noreferrer nofollow",
)
