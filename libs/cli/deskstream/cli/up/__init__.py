"""`deskstream up` and `down`: servers and services of this folder, in one process."""
