"""`deskstream reconcile`: streams and journals held against each other, and mended."""
