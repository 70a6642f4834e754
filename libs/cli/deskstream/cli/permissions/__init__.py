"""`deskstream provision --permissions`: the files by which both servers know who may do what."""
