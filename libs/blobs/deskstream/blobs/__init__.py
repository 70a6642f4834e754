"""Attachments, raw originals and long bodies in PostgreSQL."""

from deskstream.blobs.blob import LIMIT, Blob, BlobTooLarge
from deskstream.blobs.store import MIGRATIONS, SCHEMA, Blobs, Piece, Tx, read, read_piece, write

__all__ = [
    "LIMIT",
    "MIGRATIONS",
    "SCHEMA",
    "Blob",
    "BlobTooLarge",
    "Blobs",
    "Piece",
    "Tx",
    "read",
    "read_piece",
    "write",
]
