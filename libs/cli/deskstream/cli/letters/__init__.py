"""`deskstream dead-letters`: messages that keep failing, of all services."""
