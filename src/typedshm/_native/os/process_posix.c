/* Other processes of POSIX systems. */
#define _GNU_SOURCE
#define _DARWIN_C_SOURCE
#include "os/os.h"

#include <errno.h>
#include <signal.h>

bool os_process_lives(uint32_t id) {
    return kill((pid_t)id, 0) == 0 || errno == EPERM;
}
