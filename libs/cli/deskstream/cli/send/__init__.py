"""`deskstream send`: mails from files, by SMTP."""
