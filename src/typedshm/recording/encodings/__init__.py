"""Encodings: how the values of a channel become messages, and how messages become values again."""
