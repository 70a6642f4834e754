"""Which HTML is kept, which is broken into lines, which is silent: lists of words."""


def words(text: str) -> frozenset[str]:
    """One word each."""
    return frozenset(text.split())


KEPT = words(
    """
    a abbr b bdi bdo blockquote br caption center cite code col colgroup dd del div dl dt em font h1 h2 h3 h4 h5 h6 hr
    i img ins kbd li mark ol p pre q s samp small span strike strong sub sup table tbody td tfoot th thead tr tt u ul
    var
    """
)
SILENT = words("script style head title noscript template object svg math select")
VOID = words("area base br col embed hr img input link meta param source track wbr basefont bgsound frame")
# Browsers close these by themselves, so they do not nest.
SELF_CLOSING = words("p li td tr th dt dd option thead tbody tfoot colgroup")
BLOCKS = words(
    """
    address article aside blockquote center dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main nav
    ol p pre section table tbody tfoot thead tr ul
    """
)
# None of these can name a URL or leave its place on the page.
STYLES = words(
    """
    color background-color font-family font-size font-style font-weight line-height text-align text-decoration
    text-indent vertical-align white-space width height max-width border border-top border-bottom border-left
    border-right border-collapse border-color border-style border-width padding padding-top padding-bottom padding-left
    padding-right
    """
)
LAYOUT = words("align valign width height bgcolor color dir lang style title")
