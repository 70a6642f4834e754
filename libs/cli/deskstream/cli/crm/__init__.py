"""`deskstream crm`: accounts and contacts."""

from deskstream.cli.crm.command import app

__all__ = ["app"]
