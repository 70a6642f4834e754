"""`deskstream conversations` and `reply`: the inbox, through the HTTP API."""
