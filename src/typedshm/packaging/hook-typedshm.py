"""PyInstaller's hook: the layout documents and the C header come along, which no import leads to."""

from PyInstaller.utils.hooks import collect_data_files

datas = collect_data_files("typedshm", includes=["schemas/*.json", "include/*.h"])
