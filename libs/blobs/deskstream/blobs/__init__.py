"""Attachments, raw originals and long bodies in PostgreSQL."""

from deskstream.blobs.blob import LIMIT, Blob, BlobTooLarge
from deskstream.blobs.store import MIGRATIONS, SCHEMA, Blobs, Tx, read, write

__all__ = ["LIMIT", "MIGRATIONS", "SCHEMA", "Blob", "BlobTooLarge", "Blobs", "Tx", "read", "write"]
