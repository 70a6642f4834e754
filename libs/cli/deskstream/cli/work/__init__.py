"""`deskstream tickets`, `issues` and `chain`: the work behind the conversations."""
