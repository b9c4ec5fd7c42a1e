/* Memory that goes away on POSIX systems: touching it is a SIGBUS.
 *
 * Of all SIGBUS in the process those in our mappings are ours; every other one goes to the handler that was there
 * before us. There may be several of us in a chain, and others that put themselves in front later. */
#define _GNU_SOURCE
#define _DARWIN_C_SOURCE
#include "os/faults.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Who was there before us: the last one that was found in our place, and those before it. Never freed, since a handler
 * may be reading it. */
struct predecessor {
    struct sigaction action;
    struct predecessor *older;
};

static TSHM_ATOMIC(struct predecessor *) before;

/* To whom a thread is handing a signal on, from which frame. A predecessor may know us as its own, and hand the signal
 * back; a frame that is not above is of a handler that has jumped away. */
static TSHM_ATOMIC(struct predecessor *) served;
static TSHM_ATOMIC(uintptr_t) serving_thread;
static TSHM_ATOMIC(uintptr_t) serving_frame;

/* The action that ends the process, with the right words of the kernel. */
static void give_up(int number, const siginfo_t *info) {
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    sigaction(number, &standard, NULL);
    bool comes_again = info->si_code > 0; /* by itself, when we return */
#ifdef BUS_MCEERR_AO
    comes_again = comes_again && info->si_code != BUS_MCEERR_AO;
#endif
    if (!comes_again)
        raise(number);
}

static void serve(const struct sigaction *action, int number, siginfo_t *info, void *context) {
    bool simple = !(action->sa_flags & SA_SIGINFO);
    if (simple && action->sa_handler == SIG_IGN && info->si_code <= 0)
        return;
    if (simple && (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN))
        give_up(number, info);
    else if (simple)
        action->sa_handler(number);
    else
        action->sa_sigaction(number, info, context);
}

static void hand_on(int number, siginfo_t *info, void *context) {
    uintptr_t thread = (uintptr_t)pthread_self(), frame = (uintptr_t)__builtin_frame_address(0);
    bool came_back = tshm_load(&serving_thread, relaxed) == thread && frame < tshm_load(&serving_frame, relaxed);
    struct predecessor *next = tshm_load(&before, acquire); /* with the release in faults_watch */
    if (came_back)
        next = tshm_load(&served, relaxed)->older;
    if (!next) {
        give_up(number, info);
        return;
    }
    tshm_store(&served, next, relaxed);
    tshm_store(&serving_frame, frame, relaxed);
    tshm_store(&serving_thread, thread, relaxed);
    serve(&next->action, number, info, context);
    tshm_store(&serving_thread, 0, relaxed);
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

/* Python's faulthandler, when installed after us, reports a fault and then raises the signal again for its predecessor,
 * without the address. */
static bool was_ours(const siginfo_t *info) {
    return info->si_code == SI_TKILL && info->si_pid == getpid() && faults_sweep(is_damaged);
}
#else
static bool was_ours(const siginfo_t *info) {
    (void)info;
    return false;
}
#endif

static void on_fault(int number, siginfo_t *info, void *context) {
    int saved = errno;
    bool ours = info->si_code > 0 ? faults_at((uintptr_t)info->si_addr, false) : was_ours(info);
    if (!ours)
        hand_on(number, info, context);
    errno = saved;
}

static bool is_in_place(const struct sigaction *action) {
    return action->sa_flags & SA_SIGINFO && action->sa_sigaction == on_fault;
}

void faults_watch(void) {
    struct sigaction found, ours;
    if (sigaction(SIGBUS, NULL, &found) == 0 && is_in_place(&found))
        return;
    struct predecessor *kept = malloc(sizeof *kept);
    if (!kept)
        return; /* faults end the process, as they would without us */
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = on_fault;
    sigemptyset(&ours.sa_mask);
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    kept->older = tshm_load(&before, acquire); /* with our own release, in another thread */
    if (sigaction(SIGBUS, &ours, &kept->action) < 0 || is_in_place(&kept->action)) { /* another thread was faster */
        free(kept);
        return;
    }
    tshm_store(&before, kept, release); /* with the acquire in hand_on */
}
