/* Each thread has a table of its own, so that remembering takes no lock. */
#include "ring/position.h"

#include <stdlib.h>

struct entry {
    uint64_t holder, version;
};

struct table {
    size_t size;
    struct entry *entries;
};

/* In the static block of thread-local storage, where it is reached without a call; eight bytes fit there always. */
#if defined(__GNUC__) && !defined(_WIN32)
__attribute__((tls_model("initial-exec")))
#endif
static _Thread_local struct table *own_table;

/* Indices in use, guarded by `indices_lock` (free-threaded builds have no GIL to do it). */
static PyThread_type_lock indices_lock;
static uint32_t *free_indices;
static size_t free_count, free_capacity;
static uint32_t next_index;
static uint64_t next_holder = 1;

void position_start(position_key *key) {
    PyThread_acquire_lock(indices_lock, WAIT_LOCK);
    key->index = free_count ? free_indices[--free_count] : next_index++;
    key->holder = next_holder++;
    PyThread_release_lock(indices_lock);
}

void position_end(position_key *key) {
    PyThread_acquire_lock(indices_lock, WAIT_LOCK);
    if (free_count == free_capacity) {
        size_t capacity = free_capacity ? 2 * free_capacity : 64;
        uint32_t *grown = realloc(free_indices, capacity * sizeof *grown);
        if (grown) {
            free_indices = grown;
            free_capacity = capacity;
        }
    }
    if (free_count < free_capacity)
        free_indices[free_count++] = key->index; /* else the index is forgotten, which costs 16 bytes a thread */
    PyThread_release_lock(indices_lock);
}

static void table_free(PyObject *capsule) {
    struct table *table = PyCapsule_GetPointer(capsule, "typedshm.position");
    if (own_table == table)
        own_table = NULL;
    free(table->entries);
    free(table);
}

/* The thread's state dictionary owns the table, so that it goes when the thread does. */
static struct table *table_new(void) {
    PyObject *state = PyThreadState_GetDict();
    struct table *table = state ? calloc(1, sizeof *table) : NULL;
    if (!table) {
        PyErr_NoMemory();
        return NULL;
    }
    PyObject *capsule = PyCapsule_New(table, "typedshm.position", table_free);
    if (!capsule) {
        free(table);
        return NULL;
    }
    int failed = PyDict_SetItemString(state, "typedshm.position", capsule);
    Py_DECREF(capsule);
    return failed ? NULL : table;
}

uint64_t *position_version(const position_key *key) {
    if (!own_table && !(own_table = table_new()))
        return NULL;
    if (key->index >= own_table->size) {
        size_t size = 2 * (size_t)key->index + 8;
        struct entry *grown = realloc(own_table->entries, size * sizeof *grown);
        if (!grown) {
            PyErr_NoMemory();
            return NULL;
        }
        memset(grown + own_table->size, 0, (size - own_table->size) * sizeof *grown);
        own_table->entries = grown;
        own_table->size = size;
    }
    struct entry *entry = &own_table->entries[key->index];
    if (entry->holder != key->holder) { /* left by an earlier handle */
        entry->holder = key->holder;
        entry->version = 0;
    }
    return &entry->version;
}

int position_register(PyObject *module) {
    (void)module;
    if (!indices_lock)
        indices_lock = PyThread_allocate_lock();
    if (!indices_lock) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}
