"""Commands: one module each, called as the command is, and imported when it is run."""
