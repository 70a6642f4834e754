"""Fixtures on real servers, decision tables, load generator, mail sink."""
