#define _GNU_SOURCE
#define _DARWIN_C_SOURCE
#define _FILE_OFFSET_BITS 64
#include "os/pollable.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>

static bool make(int ends[2]) {
    ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return ends[0] >= 0;
}
#else
static bool make(int ends[2]) {
    if (pipe(ends) < 0)
        return false;
    for (int i = 0; i < 2; i++) { /* without pipe2(), which macOS lacks */
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, O_NONBLOCK);
    }
    return true;
}
#endif

bool pollable_make(pollable *made) {
    int ends[2];
    if (!make(ends))
        return false;
    made->waited = ends[0];
    made->written = ends[1];
    return os_mark_of(made->waited, &made->mark) && os_mark_of(made->written, &made->written_mark);
}

/* A program that closes the descriptors of others, as daemons do, may have opened something else by their numbers. */

void pollable_set(const pollable *set) {
    uint64_t one = 1; /* as an eventfd wants it; a pipe takes any byte */
    size_t size = set->written == set->waited ? sizeof one : 1;
    while (os_is_marked(set->written, &set->written_mark) && write((int)set->written, &one, size) < 0 && errno == EINTR)
        ; /* EAGAIN: it is set already, more often than can be counted */
}

void pollable_clear(const pollable *cleared) {
    char bytes[256]; /* of an eventfd the count; of a pipe whatever it holds */
    ssize_t size = -1;
    do {
        if (!os_is_marked(cleared->waited, &cleared->mark))
            return;
        size = read((int)cleared->waited, bytes, sizeof bytes);
    } while (size == (ssize_t)sizeof bytes || (size < 0 && errno == EINTR));
}

void pollable_close(pollable *closed) {
    if (os_is_marked(closed->waited, &closed->mark))
        close((int)closed->waited);
    if (closed->written != closed->waited && os_is_marked(closed->written, &closed->written_mark))
        close((int)closed->written);
}
