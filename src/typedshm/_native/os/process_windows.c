/* Other processes of Windows. */
#include "os/os.h"

#include <windows.h>

bool os_process_lives(uint32_t id) {
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, id);
    if (!process) /* one that runs with more rights refuses; there is none of a number that is no process's */
        return GetLastError() == ERROR_ACCESS_DENIED;
    bool lives = WaitForSingleObject(process, 0) == WAIT_TIMEOUT; /* an ended one is there while it has handles */
    CloseHandle(process);
    return lives;
}
