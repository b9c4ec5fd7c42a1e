"""Sources: what can be recorded, behind one interface."""
