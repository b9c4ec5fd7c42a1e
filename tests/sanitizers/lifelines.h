/* What the kernel orders, which the sanitizer cannot know: for each presence entry, what its holder did is done before
 * the entry is free. The programs are linked so that the core's calls come here; who leaves an entry releases its
 * lifeline first. */
#ifndef TYPEDSHM_LIFELINES_H
#define TYPEDSHM_LIFELINES_H

#include "os/os.h"

#include <sanitizer/tsan_interface.h>

static char lifelines[TSHM_PRESENCE_MAX];

int __real_os_peers_claim(os_peers *peers, uint32_t entry);
int __wrap_os_peers_claim(os_peers *peers, uint32_t entry);
int __real_os_peers_alive(const os_peers *peers, uint32_t entry);
int __wrap_os_peers_alive(const os_peers *peers, uint32_t entry);

int __wrap_os_peers_claim(os_peers *peers, uint32_t entry) {
    int result = __real_os_peers_claim(peers, entry);
    if (result == 0)
        __tsan_acquire(&lifelines[entry]);
    return result;
}

int __wrap_os_peers_alive(const os_peers *peers, uint32_t entry) {
    int result = __real_os_peers_alive(peers, entry);
    if (result == 0)
        __tsan_acquire(&lifelines[entry]);
    return result;
}

#endif
