"""`deskstream new`: a channel or a service with every room it needs, that works before anything is changed in it."""
