"""Mail in: an SMTP server that says 250 only once a mail is kept."""

from deskstream.channel_email.smtp.server import MailServer

__all__ = ["MailServer"]
