"""Tables on the command line: their rows by number and key, as they change, and all at once."""
