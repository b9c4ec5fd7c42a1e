"""Named bytes on Linux and macOS: files with locks on single bytes."""
