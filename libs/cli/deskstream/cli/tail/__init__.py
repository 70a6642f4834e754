"""`deskstream tail`: events as they happen, one line each."""
