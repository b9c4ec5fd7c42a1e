/* Participants on Windows: named objects, or locks on bytes of a file. */
#include "lock/peers.h"

#include "memory/names_windows.h"

int peers_open(os_peers *peers, PyObject *handle) {
    PyObject *prefix, *sddl;
    names_object names;
    Py_ssize_t file;
    if (!PyArg_ParseTuple(handle, "UUn:handle", &prefix, &sddl, &file) || !names_from(prefix, sddl, &names))
        return -1;
    size_t length = wcslen(names.name);
    if (length >= sizeof peers->prefix / sizeof *peers->prefix) {
        PyErr_SetString(PyExc_ValueError, "the region's name is too long");
        names_free(&names);
        return -1;
    }
    memcpy(peers->prefix, names.name, (length + 1) * sizeof *names.name);
    peers->security = names.attributes.lpSecurityDescriptor;
    peers->presence = NULL;
    peers->file = (HANDLE)file;
    os_mark_of((intptr_t)file, &peers->mark); /* for who only asks; who claims an entry marks it anew, or fails */
    names.attributes.lpSecurityDescriptor = NULL;
    names_free(&names);
    return 0;
}

void peers_leave(os_peers *peers) {
    if (peers->presence)
        CloseHandle(peers->presence);
    peers->presence = NULL;
    peers->file = NULL; /* its owner closes it, and with that frees the presence entry */
}

void peers_close(os_peers *peers) {
    peers_leave(peers);
    os_peers_free(peers);
    LocalFree(peers->security);
    peers->security = NULL;
}
