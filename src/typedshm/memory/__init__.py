"""Named bytes: how they are created, attached, kept and removed on each system. Knows no Struct."""
