/* What the files of the Windows back end share. */
#ifndef TYPEDSHM_OS_WINDOWS_H
#define TYPEDSHM_OS_WINDOWS_H

#define WIN32_LEAN_AND_MEAN
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00 /* Windows 10 */
#endif
#include <windows.h>

#ifndef FILE_MAP_LARGE_PAGES
#define FILE_MAP_LARGE_PAGES 0x20000000 /* which older headers lack */
#endif

#include "os/os.h"

/* prefix + kind + number, e.g. "…" "!p" 17. `name` has OS_NAME_MAX characters. */
void os_object_name(wchar_t *name, const os_peers *peers, const wchar_t *kind, uint32_t number);
/* The bytes of the large pages that hold so many. */
uint64_t os_large_pages(uint64_t size);
/* Wakes and frees every event of ours; for the end of a handle. */
void os_peers_free(os_peers *peers);

#endif
