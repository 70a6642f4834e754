"""Reading a mail nobody trusts: runs in a child process that may be killed, and hands back plain values."""
