"""`deskstream adapter`: for those who write an adapter, in whatever language."""
