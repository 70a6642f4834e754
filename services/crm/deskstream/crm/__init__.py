"""Knows who a sender is: contacts, workspaces, accounts."""
