/* Participants on POSIX systems: locks on bytes of the region's file. */
#include "lock/peers.h"

#include <limits.h>

int peers_open(os_peers *peers, PyObject *handle) {
    long fd = PyLong_AsLong(handle);
    peers->fd = fd < 0 || fd > INT_MAX ? -1 : (int)fd;
    os_mark_of(peers->fd, &peers->mark); /* for who only asks; who claims an entry marks it anew, or fails */
    return fd == -1 && PyErr_Occurred() ? -1 : 0;
}

void peers_leave(os_peers *peers) {
    peers->fd = -1; /* its owner closes it, and with that frees the presence entry */
}

void peers_close(os_peers *peers) {
    (void)peers;
}
