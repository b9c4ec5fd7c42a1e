"""PyInstaller's hook: the libraries by which chunks are compressed, which are imported by their names."""

hiddenimports = ["lz4.frame", "zstandard"]
