"""`deskstream bench`: what the machine gives, what the system makes of it, and the ratio of the two, in one run."""
