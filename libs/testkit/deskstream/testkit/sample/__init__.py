"""Two tiny real services on which the messaging library is tried: one counts, the other sums what it hears."""
