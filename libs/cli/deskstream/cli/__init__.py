"""The deskstream command."""
