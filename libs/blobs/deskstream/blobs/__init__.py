"""Attachments and raw originals in PostgreSQL."""
