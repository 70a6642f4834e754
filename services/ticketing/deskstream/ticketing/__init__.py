"""Tickets, issues and parts: the problem travels to its engineer, and the answer travels back."""
