/* The Ring object: its making, its end, and the table of its verbs. */
#include "ring/ring_type.h"

#include "ring/block.h"
#include "ring/borrow.h"
#include "ring/reading.h"
#include "ring/waiting.h"
#include "ring/writing.h"
#include "struct/lease.h"

static PyTypeObject *ring_type;

bool ring_type_check(PyObject *object) {
    return PyObject_TypeCheck(object, ring_type);
}

static int ring_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    Ring *self = (Ring *)object;
    static char *names[] = {"mapping", "instance", "mutex", "slots", "schema", "size", "refuses", "debug", NULL};
    PyObject *mapping, *mutex, *slots, *schema;
    Py_ssize_t size;
    unsigned long long instance;
    int refuses, debug;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OKOOOnpp:Ring", names, &mapping, &instance, &mutex, &slots, &schema,
                                     &size, &refuses, &debug))
        return -1;
    if (self->position.holder || !mapping_check(mapping) || (mutex != Py_None && !mutex_check(mutex)) ||
        (mutex == Py_None ? slots != Py_None : !slots_check(slots))) {
        PyErr_SetString(PyExc_TypeError, "Ring() takes a Mapping, and a Mutex with its Slots, once");
        return -1;
    }
    tshm_header header;
    const os_memory *memory = &((Mapping *)mapping)->memory;
    const char *problem = tshm_check(memory->start, memory->size, &header, &self->ring);
    if (!problem && (size < 1 || (uint64_t)size > self->ring.payload_size))
        problem = "the schema does not fit the payload";
    if (problem) {
        PyErr_SetString(PyExc_ValueError, problem);
        return -1;
    }
    position_start(&self->position);
    self->refuses = refuses;
    self->debug = debug;
    if (slots != Py_None) {
        Py_INCREF(slots);
        self->slots = (Slots *)slots;
    }
    return opened_start((Opened *)self, mapping, instance, mutex, schema, (size_t)size);
}

static int ring_traverse(PyObject *object, visitproc visit, void *arg) {
    Ring *self = (Ring *)object;
    Py_VISIT(Py_TYPE(object));
    return values_visit(&self->values, visit, arg);
}

static void ring_dealloc(PyObject *object) {
    Ring *self = (Ring *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->position.holder)
        position_end(&self->position);
    opened_end((Opened *)self);
    Py_XDECREF((PyObject *)self->slots);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

static PyObject *get_version(PyObject *object, void *unused) {
    (void)unused;
    Ring *self = (Ring *)object;
    if (!self->mapping)
        return ring_fail(self, "closed");
    uint64_t version, time;
    return reading_newest(self, &version, &time) ? PyLong_FromUnsignedLongLong(version) : NULL;
}

static PyObject *get_lossless(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Ring *)object)->ring.lossless);
}

static PyObject *get_dropped(PyObject *object, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(tshm_load(&((Ring *)object)->dropped, relaxed));
}

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

/* What help() shows; an editor shows the same words from _native.pyi, and a test compares them. The first line of each
 * is the signature, as inspect reads it. */

static const char read_doc[] =
    "read($self, /, *, max_age=None)\n--\n\n"
    "Return the newest complete version, as a private copy.\n\n"
    "It never waits for writers if the region has two slots or more. ``version_of(value)`` tells the version's\n"
    "number, ``time_of(value)`` when it was published.\n\n"
    "Parameters\n----------\n"
    "max_age\n"
    "    Seconds since it was published, at most; None, the default, takes any version.\n\n"
    "Returns\n-------\n"
    "value\n"
    "    Of the region's schema.\n\n"
    "Raises\n------\n"
    "Empty\n"
    "    Nothing has been written to the region yet.\n"
    "Stale\n"
    "    The newest version is older than `max_age`.\n"
    "Overrun\n"
    "    Writers overtook every attempt to copy for a second, and this handle is read-only, so it cannot lock\n"
    "    them out.\n"
    "TornWrite\n"
    "    With ``slots=1``: a writer died in the middle of a write. There is no value until the next complete\n"
    "    write.\n"
    "Closed\n"
    "    The handle was closed.\n"
    "RegionLost\n"
    "    The region's memory was lost: its file was truncated or overwritten, or the disk failed.";

static const char read_into_doc[] =
    "read_into($self, value, /, *, max_age=None)\n--\n\n"
    "Copy the newest complete version into an existing Struct or array.\n\n"
    "It is :meth:`read` without an allocation. If it fails, the content of `value` is undefined.\n\n"
    "Parameters\n----------\n"
    "value\n"
    "    A Struct of the region's layout, or a writable C-contiguous array of its dtype and shape; where the shape\n"
    "    varies, of that of the newest version.\n"
    "max_age\n"
    "    As for :meth:`read`.\n\n"
    "Raises\n------\n"
    "FieldTypeError, FieldValueError\n"
    "    `value` has another type, dtype or shape.\n"
    "Empty, Stale, Overrun, TornWrite, Closed, RegionLost\n"
    "    As for :meth:`read`.";

static const char write_doc[] =
    "write($self, value, /, *, timeout=...)\n--\n\n"
    "Publish a complete value as the next version.\n\n"
    "Parameters\n----------\n"
    "value\n"
    "    A value of the region's schema; for a model or dataclass also its Struct.\n"
    "timeout\n"
    "    Seconds to wait for other writers; None waits for ever. Default: :attr:`timeout` of the handle.\n\n"
    "Raises\n------\n"
    "Timeout\n"
    "    Another writer held the lock for too long. Nothing was published.\n"
    "FieldTypeError, FieldValueError, FieldOverflow\n"
    "    `value` does not fit the schema. Nothing was published.\n"
    "LayoutMismatch\n"
    "    The handle's schema is not the region's own, so it can only read.\n"
    "RegionRefused\n"
    "    The handle was attached with ``readonly=True``.\n"
    "PublisherExists\n"
    "    Another process publishes exclusively. Nothing was published.\n"
    "MisuseError\n"
    "    This thread has an open update() or loan() block on the region, or another of its tasks holds lock().\n"
    "Closed\n"
    "    The handle was closed.\n"
    "RegionLost\n"
    "    The region's memory was lost, and the written value with it.\n"
    "RegionReplaced\n"
    "    The region's name means another one now; looked at every 100 ms.";

static const char update_doc[] =
    "update($self, /, *, timeout=...)\n--\n\n"
    "Return a transaction on the newest version: ``with region.update() as t: t.tick += 1``.\n\n"
    "The block starts from the newest version, or from the defaults while the region is empty. When it ends,\n"
    "everything is published as the next version; if it raises, nothing is. Other writers wait meanwhile,\n"
    "readers do not.\n\n"
    "Up to 64 KiB the block works on a private copy. Above, it works in the slot itself, and an array kept from\n"
    "it still refers to shared memory afterwards. `t` itself raises Closed once the block has ended. A bare array\n"
    "keeps its shape: ``loan(shape=...)`` and :meth:`write` give it another.\n\n"
    "Parameters\n----------\n"
    "timeout\n"
    "    Seconds to wait for other writers; None waits for ever. Default: :attr:`timeout` of the handle.\n\n"
    "Raises\n------\n"
    "Timeout, PublisherExists, LayoutMismatch, RegionRefused, MisuseError, Closed, RegionLost\n"
    "    As for :meth:`write`, when the block is entered.";

static const char loan_doc[] =
    "loan($self, /, *, shape=None, timeout=...)\n--\n\n"
    "Return a slot to fill from scratch: ``with region.loan() as t: camera.read(t.image)``.\n\n"
    "Nothing is copied: the slot still holds what an older version left in it. When the block ends, its content\n"
    "is published as the next version; if it raises, nothing is. With ``slots=1`` the block fills a copy beside\n"
    "the slot. Fields declared with ``UpTo`` have no items at first; :func:`resize` gives them some.\n\n"
    "An array kept from the block still refers to shared memory afterwards; with ``TYPEDSHM_DEBUG=1`` in the\n"
    "environment, writing to it is a fault.\n\n"
    "Parameters\n----------\n"
    "shape\n"
    "    Of a bare array whose shape varies: the lengths of the axes that vary, or those of all axes.\n"
    "timeout\n"
    "    Seconds to wait for other writers; None waits for ever. Default: :attr:`timeout` of the handle.\n\n"
    "Raises\n------\n"
    "FieldValueError\n"
    "    There is no room for an array of that shape.\n"
    "Timeout, PublisherExists, LayoutMismatch, RegionRefused, MisuseError, Closed, RegionLost\n"
    "    As for :meth:`write`, when the block is entered.";

static const char borrow_doc[] =
    "borrow($self, /, *, max_age=None)\n--\n\n"
    "Return a read-only view of the newest version in its slot: ``with region.borrow() as t: show(t.image)``.\n\n"
    "Nothing is copied. `t` is read-only, by its type and by its pages, and cannot change: writers skip its\n"
    "slot until the block ends. Afterwards a Struct raises Closed; an array taken from it stays valid and pins\n"
    "the slot for as long as the array lives.\n\n"
    "All readers together can pin ``slots - 2`` versions, any number of readers each; from 514 slots on, each\n"
    "process ``(slots - 2) // 512``. Beyond that, and through a read-only handle, the block gets a read-only\n"
    "copy; ``info().copies`` counts those. A loop whose variable still holds the last array when it borrows the\n"
    "next pins two versions, which takes four slots.\n\n"
    "Parameters\n----------\n"
    "max_age\n"
    "    As for :meth:`read`.\n\n"
    "Raises\n------\n"
    "Empty, Stale, Overrun, TornWrite, Closed, RegionLost\n"
    "    As for :meth:`read`, when the block is entered.";

static const char wait_doc[] =
    "wait($self, /, *, after=None, timeout=..., copy=True, until_gone=False)\n--\n\n"
    "Sleep until there is a newer version, and return the newest.\n\n"
    "Parameters\n----------\n"
    "after\n"
    "    The version to exceed. Default: the newest that this thread got through this handle.\n"
    "timeout\n"
    "    Seconds to wait; None waits for ever. Default: :attr:`timeout` of the handle.\n"
    "copy\n"
    "    False: copy nothing, and return the number of the newest version, which counts as got by this thread.\n"
    "until_gone\n"
    "    Wait no longer than there is somebody to publish a newer version. Whoever has published, or does so\n"
    "    exclusively, counts until it ends, or closes the region; while nobody has ever published, it waits. A hot\n"
    "    standby that takes over within 40 ms goes unnoticed.\n\n"
    "Returns\n-------\n"
    "value or int\n"
    "    A private copy, as from :meth:`read`; without `copy` the version's number.\n\n"
    "Raises\n------\n"
    "Timeout\n"
    "    No newer version was published in time.\n"
    "PublisherGone\n"
    "    With `until_gone`: nobody is left to publish a newer version; noticed within 100 ms.\n"
    "Closed\n"
    "    The handle was closed, before or during the wait.\n"
    "RegionLost\n"
    "    The region's memory was lost.\n"
    "RegionReplaced\n"
    "    The region's name means another one now; looked at every 100 ms.";

static PyMethodDef methods[] = {
    {"read", FAST(reading_read), METH_FASTCALL | METH_KEYWORDS, read_doc},
    {"read_into", FAST(reading_read_into), METH_FASTCALL | METH_KEYWORDS, read_into_doc},
    {"write", FAST(writing_write), METH_FASTCALL | METH_KEYWORDS, write_doc},
    {"update", FAST(block_update), METH_FASTCALL | METH_KEYWORDS, update_doc},
    {"loan", FAST(block_loan), METH_FASTCALL | METH_KEYWORDS, loan_doc},
    {"wait", FAST(waiting_wait), METH_FASTCALL | METH_KEYWORDS, wait_doc},
    {"borrow", FAST(borrow_newest), METH_FASTCALL | METH_KEYWORDS, borrow_doc},
    {"__class_getitem__", (PyCFunction)Py_GenericAlias, METH_O | METH_CLASS, "Region[T], for annotations."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"version", get_version, NULL, "The number of the newest version; 0 while the region is empty.", NULL},
    {"lossless", get_lossless, NULL, "True if its followers may ask for every version, and writers wait for them.",
     NULL},
    {"dropped", get_dropped, NULL, "How many versions were missed by all followers of this handle.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The verbs of a region that are written in C."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, ring_init},
    {Py_tp_traverse, ring_traverse},
    {Py_tp_dealloc, ring_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Ring", sizeof(Ring), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

int ring_type_register(PyObject *module) {
    ring_type = (PyTypeObject *)PyType_FromSpecWithBases(&spec, opened_base());
    return ring_type ? PyModule_AddObjectRef(module, "Ring", (PyObject *)ring_type) : -1;
}
