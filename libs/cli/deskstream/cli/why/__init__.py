"""`deskstream why`: the reasons behind an owner and a due time."""
