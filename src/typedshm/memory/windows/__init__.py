"""Named bytes on Windows: sections of the paging file or of a file, and other kernel objects."""
