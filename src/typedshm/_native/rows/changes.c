/* Changes: the rows that were published since somebody looked last, by the rules under CHANGES in typedshm.h.
 *
 * Who may only read cannot raise the epoch, so writers do not stamp again for it: it remembers what number each row
 * had, and compares those of all rows whose 64 were stamped in the epoch of its last look, or later. */
#include "rows/changes.h"

#include "rows/row_waiting.h"
#include "timeout.h"

#include <stdlib.h>

static PyTypeObject *changes_type;

/* A row that somebody had when it was looked at, and the version that it held. */
struct unsure {
    uint64_t number, version;
};

typedef struct {
    PyObject_HEAD
    Rows *rows;
    uint64_t since;        /* the first epoch that has not been looked at */
    uint64_t *seen;        /* of each row: its version; NULL for who raises the epoch */
    struct unsure *unsure; /* by ascending number */
    size_t count, room;
    bool all;  /* the first look reports every row that holds something */
    bool full; /* there was no memory */
    bool begun;
    uint32_t forks;       /* os_forks when `busy` was last set: in a child, it is the parent's */
    tshm_atomic_u32 busy; /* one thread at a time */
    rows_list found;
} Changes;

static bool add_unsure(Changes *self, struct unsure **list, size_t *count, size_t *room, uint64_t number,
                       uint64_t version) {
    if (*count == *room) {
        size_t more = *room ? 2 * *room : 16;
        struct unsure *items = realloc(*list, more * sizeof *items);
        if (!items) {
            self->full = true;
            return false;
        }
        *list = items;
        *room = more;
    }
    (*list)[(*count)++] = (struct unsure){number, version};
    return true;
}

/* False: there is no memory, and the row has to be found again. */
static bool report(Changes *self, uint64_t number) {
    bool added = rows_list_add(&self->found, (int64_t)number);
    self->full = self->full || !added;
    return added;
}

/* What a look at one row finds, in this order: the owner, the newest version, the stamp. */
struct row_look {
    bool held;
    uint64_t version, stamp;
};

static struct row_look look_at(const tshm_table *table, uint64_t number) {
    tshm_row *row = tshm_row_of(table, number);
    struct row_look look;
    /* seq_cst, with the exchange by which a writer takes the row: see CHANGES */
    look.held = (tshm_load(&row->owner, seq_cst) & TSHM_WORD_OWNER) != 0;
    look.version = tshm_row_number(table, row);
    /* relaxed: behind the acquire load of the mark, before which it was stored */
    look.stamp = tshm_load(&row->stamp, relaxed);
    return look;
}

/* The version that a row held when it was unsure; false if it was not. */
static bool find_unsure(const struct unsure *list, size_t count, uint64_t number, uint64_t *version) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (list[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count || list[low].number != number)
        return false;
    *version = list[low].version;
    return true;
}

/* Those that were unsure: reported if they moved, dropped once they are seen free. */
static void look_at_unsure(Changes *self, const tshm_table *table) {
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        struct unsure *unsure = &self->unsure[i];
        struct row_look look = look_at(table, unsure->number);
        bool moved = look.version != unsure->version;
        if (moved && !report(self, unsure->number)) {
            self->unsure[kept++] = *unsure;
            continue;
        }
        if (moved && self->seen)
            self->seen[unsure->number] = look.version;
        if (look.held)
            self->unsure[kept++] = (struct unsure){unsure->number, look.version};
    }
    self->count = kept;
}

/* The rows of one stamp. `quiet`: only who is at work on them is noted. */
static void look_at_block(Changes *self, const tshm_table *table, uint64_t block, bool quiet, struct unsure **list,
                          size_t *count, size_t *room) {
    uint64_t first = block * TSHM_STAMPED_ROWS, last = first + TSHM_STAMPED_ROWS;
    for (uint64_t number = first; number < last && number < table->row_count; number++) {
        if (number + 4 < table->row_count)
            __builtin_prefetch(tshm_row_of(table, number + 4));
        struct row_look look = look_at(table, number);
        uint64_t before;
        bool changed = self->seen ? look.version != self->seen[number] : look.stamp >= self->since;
        if (find_unsure(self->unsure, self->count, number, &before) && before != look.version)
            changed = true;
        if (changed && !quiet && (look.version || look.held) && !report(self, number))
            continue;
        if (self->seen)
            self->seen[number] = look.version;
        if (look.held)
            add_unsure(self, list, count, room, number, look.version);
    }
}

static int compare_numbers(const void *one, const void *other) {
    int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
    return (a > b) - (a < b);
}

static int compare_unsure(const void *one, const void *other) {
    uint64_t a = ((const struct unsure *)one)->number, b = ((const struct unsure *)other)->number;
    return (a > b) - (a < b);
}

static void sort_found(Changes *self) {
    rows_list *found = &self->found;
    if (found->count)
        qsort(found->items, found->count, sizeof *found->items, compare_numbers);
    size_t kept = 0;
    for (size_t i = 0; i < found->count; i++)
        if (!kept || found->items[kept - 1] != found->items[i])
            found->items[kept++] = found->items[i];
    found->count = kept;
}

/* Without the GIL. */
static void look(void *context) {
    Changes *self = context;
    const tshm_table *table = &self->rows->table;
    bool quiet = !self->begun && !self->all;
    look_at_unsure(self, table);
    /* seq_cst, with the load in tshm_row_stamp: whoever has looked before is seen below, others stamp again */
    uint64_t epoch = self->seen ? tshm_load(&tshm_table_control_of(table)->epoch, seq_cst) : tshm_epoch_step(table);
    struct unsure *list = NULL;
    size_t count = 0, room = 0;
    for (uint64_t block = 0; block < tshm_stamp_count(table->row_count); block++) {
        uint64_t stamp = tshm_load(tshm_stamp_of(table, block * TSHM_STAMPED_ROWS), seq_cst);
        if (stamp && stamp >= self->since)
            look_at_block(self, table, block, quiet, &list, &count, &room);
    }
    /* those that were unsure before, and are not among them */
    for (size_t i = 0, seen = count; i < self->count; i++) {
        uint64_t version;
        if (!find_unsure(list, seen, self->unsure[i].number, &version))
            add_unsure(self, &list, &count, &room, self->unsure[i].number, self->unsure[i].version);
    }
    if (count)
        qsort(list, count, sizeof *list, compare_unsure);
    if (self->full) { /* nothing is forgotten: the next look finds it again */
        free(list);
        return;
    }
    free(self->unsure);
    self->unsure = list;
    self->count = count;
    self->room = room;
    self->since = self->seen ? epoch : epoch + 1;
    self->begun = true;
    sort_found(self);
}

/* One look; what it found is in `found`. False and an error set. */
static bool step(Changes *self) {
    if (!self->rows->mapping) {
        rows_fail(self->rows, "closed");
        return false;
    }
    self->full = false;
    opened_work_apart((Opened *)self->rows, look, self);
    if (self->full) {
        PyErr_NoMemory();
        return false;
    }
    if (self->rows->mapping && opened_is_gone((Opened *)self->rows)) {
        rows_fail(self->rows, "gone");
        return false;
    }
    return true;
}

/* What was found, as bytes, which are forgotten with that. */
static PyObject *hand_out(Changes *self) {
    PyObject *numbers = PyBytes_FromStringAndSize((const char *)self->found.items,
                                                  (Py_ssize_t)(self->found.count * sizeof *self->found.items));
    if (numbers)
        self->found.count = 0;
    return numbers;
}

static bool begin(Changes *self) {
    uint32_t free_word = 0;
    if (self->forks != os_forks) /* a child begins with one thread */
        tshm_store(&self->busy, 0, relaxed);
    self->forks = os_forks;
    if (tshm_exchange_if(&self->busy, &free_word, 1, acquire)) /* with the release in finish */
        return true;
    rows_fail(self->rows, "followed twice");
    return false;
}

static void finish(Changes *self) {
    tshm_store(&self->busy, 0, release); /* with the acquire in begin */
}

/* poll() -> the rows that changed since the last look, as bytes of 64-bit numbers, ascending. */
static PyObject *changes_poll(PyObject *object, PyObject *unused) {
    (void)unused;
    Changes *self = (Changes *)object;
    if (!begin(self))
        return NULL;
    PyObject *numbers = step(self) ? hand_out(self) : NULL;
    finish(self);
    return numbers;
}

static bool looked(void *context, bool *any) {
    Changes *self = context;
    if (!step(self))
        return false;
    *any = self->found.count > 0;
    return true;
}

/* wait(timeout) -> the same, as soon as there are any. */
static PyObject *changes_wait(PyObject *object, PyObject *timeout) {
    Changes *self = (Changes *)object;
    int64_t ns = self->rows->timeout;
    if (timeout_convert(timeout, &ns) < 0 || !begin(self))
        return NULL;
    PyObject *numbers = row_waiting_sleep(self->rows, looked, self, ns) ? hand_out(self) : NULL;
    finish(self);
    return numbers;
}

/* prepare() -> the same if there are any, or the number of the news to sleep on, which was announced. */
static PyObject *changes_prepare(PyObject *object, PyObject *unused) {
    (void)unused;
    Changes *self = (Changes *)object;
    uint32_t number = 0;
    bool any = false;
    if (!begin(self))
        return NULL;
    bool done = row_waiting_prepare(self->rows, looked, self, &number, &any);
    PyObject *result = !done ? NULL : any ? hand_out(self) : PyLong_FromUnsignedLong(number);
    finish(self);
    return result;
}

/* ---- the object -------------------------------------------------------------------------------------------------- */

static PyObject *changes_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"table", "all", NULL};
    PyObject *table;
    int all;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Op:Changes", names, &table, &all))
        return NULL;
    if (!rows_check(table)) {
        PyErr_SetString(PyExc_TypeError, "Changes() takes a table");
        return NULL;
    }
    Changes *self = (Changes *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0); /* zeroed */
    if (!self)
        return NULL;
    Py_INCREF(table);
    self->rows = (Rows *)table;
    self->since = 1; /* stamps of 0 are of rows that were never written */
    self->all = all;
    if (!self->rows->mutex && !(self->seen = calloc((size_t)self->rows->table.row_count, sizeof *self->seen))) {
        PyErr_NoMemory();
        Py_CLEAR(self);
    } else if (!all && !step(self)) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static void changes_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    Changes *self = (Changes *)object;
    rows_list_free(&self->found);
    free(self->unsure);
    free(self->seen);
    Py_XDECREF((PyObject *)self->rows);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"poll", changes_poll, METH_NOARGS, "The rows that changed since the last look, as bytes of 64-bit numbers."},
    {"wait", changes_wait, METH_O, "The same, as soon as there are any; with a timeout in seconds."},
    {"prepare", changes_prepare, METH_NOARGS, "The same if there are any, or the number of the news to sleep on."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The rows of a table that were published since somebody looked last."},
    {Py_tp_new, changes_create},
    {Py_tp_dealloc, changes_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Changes", sizeof(Changes), 0, Py_TPFLAGS_DEFAULT, slots};

int changes_register(PyObject *module) {
    changes_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return changes_type ? PyModule_AddObjectRef(module, "Changes", (PyObject *)changes_type) : -1;
}
