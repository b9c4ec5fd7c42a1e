/* Memory that goes away on POSIX systems: touching it is a SIGBUS.
 *
 * Of all SIGBUS in the process those in our mappings are ours; every other one goes to the handler that was there
 * before us. There may be several of us in a chain, and others that put themselves in front later. */
#define _GNU_SOURCE
#define _DARWIN_C_SOURCE
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct sigaction Action;

/* Who was there before us. Written anew for everybody who was found in our place, and never freed: a handler may be
 * reading it. */
static TSHM_ATOMIC(Action *) before;

/* The thread that is just handing a signal on; 0 is nobody. */
static TSHM_ATOMIC(uintptr_t) handing_on;

/* The action that ends the process, with the right words of the kernel. */
static void give_up(int number, const siginfo_t *info) {
    Action standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    sigaction(number, &standard, NULL);
    if (info->si_code <= 0) /* a fault comes again by itself when we return */
        raise(number);
}

static void hand_on(int number, siginfo_t *info, void *context) {
    Action *action = tshm_load(&before, acquire); /* with the release in os_watch_faults */
    uintptr_t self = (uintptr_t)pthread_self();
    if (!action || tshm_load(&handing_on, relaxed) == self) { /* whom we gave it to gave it back to us */
        give_up(number, info);
        return;
    }
    if (!(action->sa_flags & SA_SIGINFO) && action->sa_handler == SIG_IGN && info->si_code <= 0)
        return;
    if (!(action->sa_flags & SA_SIGINFO) && (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN)) {
        give_up(number, info);
        return;
    }
    tshm_store(&handing_on, self, relaxed);
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(number, info, context);
    else
        action->sa_handler(number);
    tshm_store(&handing_on, 0, relaxed);
}

#ifdef __linux__
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif

/* Would touching it be a SIGBUS? The kernel says so without one. */
static bool is_damaged(const os_memory *memory) {
    return madvise(memory->start, memory->size, memory->writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) < 0 &&
           errno == EFAULT;
}

/* Python's faulthandler, when it was put in our place, reports a fault and then raises the signal once more for whoever
 * was there before it, without the address. */
static bool was_ours(const siginfo_t *info) {
    return info->si_code == SI_TKILL && info->si_pid == getpid() && watch_sweep(is_damaged);
}
#else
static bool was_ours(const siginfo_t *info) {
    (void)info;
    return false;
}
#endif

static void on_fault(int number, siginfo_t *info, void *context) {
    int saved = errno;
    bool ours = info->si_code > 0 ? watch_fault((uintptr_t)info->si_addr, false) : was_ours(info);
    if (!ours)
        hand_on(number, info, context);
    errno = saved;
}

static bool is_in_place(const Action *action) {
    return action->sa_flags & SA_SIGINFO && action->sa_sigaction == on_fault;
}

void os_watch_faults(void) {
    Action found, ours;
    if (sigaction(SIGBUS, NULL, &found) == 0 && is_in_place(&found))
        return;
    Action *kept = malloc(sizeof *kept);
    if (!kept)
        return; /* faults end the process, as they would without us */
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_fault;
    sigemptyset(&ours.sa_mask);
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    if (sigaction(SIGBUS, &ours, kept) < 0 || is_in_place(kept)) { /* another thread was faster */
        free(kept);
        return;
    }
    tshm_store(&before, kept, release); /* with the acquire in hand_on */
}
