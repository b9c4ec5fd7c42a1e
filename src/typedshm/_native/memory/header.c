#include "memory/header.h"

#include "memory/mapping.h"

static uint64_t round_up(uint64_t size, uint64_t granule) {
    return (size + granule - 1) / granule * granule;
}

/* With rows, a table's. */
static tshm_header geometry(uint32_t slots, uint64_t payload_size, uint64_t document_size, uint64_t rows,
                            bool lossless) {
    tshm_header header;
    memset(&header, 0, sizeof header);
    header.magic = TSHM_MAGIC;
    header.format = TSHM_FORMAT;
    header.header_size = sizeof(tshm_header);
    header.payload_size = payload_size;
    header.slot_count = slots;
    header.slot_stride = sizeof(tshm_slot) + round_up(payload_size, TSHM_LINE);
    header.presence_count = TSHM_PRESENCE_MAX;
    header.flags = (rows ? TSHM_TABLE : 0) | (lossless ? TSHM_LOSSLESS : 0);
    header.document_offset = rows       ? sizeof(tshm_table_control)
                             : lossless ? sizeof(tshm_lossless_control)
                                        : sizeof(tshm_control);
    header.document_size = document_size;
    uint64_t end = round_up(header.document_offset + document_size, TSHM_LINE);
    if (rows) {
        header.row_count = rows;
        header.slot_stride = round_up(tshm_row_head(slots) + slots * tshm_row_room(payload_size), TSHM_ROW_LINE);
        header.stamps_offset = end;
        end = round_up(end + 8 * tshm_stamp_count(rows), TSHM_LINE);
    }
    header.slots_offset = end;
    header.region_size = end + (rows ? rows : slots) * header.slot_stride;
    return header;
}

static PyObject *region_size(PyObject *module, PyObject *args) {
    (void)module;
    unsigned int slots;
    unsigned long long payload_size, document_size, rows;
    int lossless;
    if (!PyArg_ParseTuple(args, "IKKKp:region_size", &slots, &payload_size, &document_size, &rows, &lossless))
        return NULL;
    if (slots < (lossless ? 2 : 1) || slots > (rows ? 2 : TSHM_SLOTS_MAX) || payload_size < 1 ||
        payload_size > TSHM_SIZE_MAX || document_size > TSHM_DOCUMENT_MAX || rows > TSHM_ROWS_MAX ||
        (rows && lossless)) {
        PyErr_SetString(PyExc_ValueError, "slots, rows, payload or document outside the format's limits");
        return NULL;
    }
    tshm_header header = geometry(slots, payload_size, document_size, rows, lossless);
    if (rows > TSHM_SIZE_MAX / header.slot_stride || header.region_size > TSHM_SIZE_MAX) {
        PyErr_SetString(PyExc_ValueError, "a region has at most 2^40 bytes");
        return NULL;
    }
    return PyLong_FromUnsignedLongLong(header.region_size);
}

/* A writable mapping with at least the control block, or NULL and an error. */
static Mapping *region_mapping(PyObject *object, bool writable) {
    Mapping *mapping = (Mapping *)object;
    if (!mapping_check(object) || mapping->memory.size < sizeof(tshm_control) ||
        (writable && !mapping->memory.writable)) {
        PyErr_SetString(PyExc_ValueError, "not a mapping of at least the control block");
        return NULL;
    }
    return mapping;
}

/* Turns zeroed memory into an empty region. READY is stored last. */
static PyObject *write_header(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *object;
    unsigned int slots;
    unsigned long long payload_size, instance, rows;
    const char *layout_id, *document;
    Py_ssize_t id_size, document_size;
    int lossless;
    if (!PyArg_ParseTuple(args, "OIKy#Ky#Kp:write_header", &object, &slots, &payload_size, &layout_id, &id_size,
                          &instance, &document, &document_size, &rows, &lossless))
        return NULL;
    Mapping *mapping = region_mapping(object, true);
    if (!mapping)
        return NULL;
    tshm_header header = geometry(slots, payload_size, (uint64_t)document_size, rows, lossless);
    if (id_size != sizeof header.layout_id || header.region_size > mapping->memory.size) {
        PyErr_SetString(PyExc_ValueError, "the mapping is smaller than the region");
        return NULL;
    }
    memcpy(header.layout_id, layout_id, sizeof header.layout_id);
    header.instance = instance;
    header.created = os_realtime_ns();
    header.check = tshm_header_check(&header);
    tshm_control *region = (tshm_control *)mapping->memory.start;
    tshm_store(&region->header.state, TSHM_INITIALISING, relaxed);
    memcpy((void *)&region->header, &header, offsetof(tshm_header, state));
    memcpy(mapping->memory.start + header.document_offset, document, (size_t)document_size);
    if (rows)
        tshm_store(&((tshm_table_control *)region)->epoch, 1, relaxed);
    tshm_store(&region->header.state, TSHM_READY, release); /* with the acquire in region_state */
    Py_RETURN_NONE;
}

static PyObject *region_state(PyObject *module, PyObject *object) {
    (void)module;
    Mapping *mapping = region_mapping(object, false);
    if (!mapping)
        return NULL;
    /* acquire, with the release of READY in write_header */
    return PyLong_FromUnsignedLong(tshm_load(&((tshm_control *)mapping->memory.start)->header.state, acquire));
}

static PyObject *read_header(PyObject *module, PyObject *object) {
    (void)module;
    Mapping *mapping = region_mapping(object, false);
    if (!mapping)
        return NULL;
    tshm_header header;
    tshm_ring ring;
    tshm_table table;
    const os_memory *memory = &mapping->memory;
    bool is_table = ((const tshm_header *)memory->start)->flags & TSHM_TABLE; /* checked again from the copy */
    const char *problem = is_table ? tshm_check_table(memory->start, memory->size, &header, &table)
                                   : tshm_check(memory->start, memory->size, &header, &ring);
    if (problem) {
        PyErr_SetString(PyExc_ValueError, problem);
        return NULL;
    }
    return Py_BuildValue(
        "{s:I,s:I,s:O,s:K,s:K,s:K,s:K,s:y#,s:K,s:K,s:y#}", "slots", (unsigned int)header.slot_count, "presence_count",
        (unsigned int)header.presence_count, "lossless", header.flags & TSHM_LOSSLESS ? Py_True : Py_False, "rows",
        (unsigned long long)(is_table ? header.row_count : 0), "row_size",
        (unsigned long long)(is_table ? header.slot_stride : 0), "payload_size",
        (unsigned long long)header.payload_size, "region_size", (unsigned long long)header.region_size, "layout_id",
        (const char *)header.layout_id, (Py_ssize_t)sizeof header.layout_id, "instance",
        (unsigned long long)header.instance, "created", (unsigned long long)header.created, "document",
        (const char *)mapping->memory.start + header.document_offset, (Py_ssize_t)header.document_size);
}

static PyObject *region_is(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *object;
    unsigned long long instance;
    if (!PyArg_ParseTuple(args, "OK:region_is", &object, &instance))
        return NULL;
    Mapping *mapping = region_mapping(object, false);
    return mapping ? PyBool_FromLong(mapping_holds(mapping, instance)) : NULL;
}

/* Sleepers of a life before this one announced themselves in vain: called when nobody else is alive. */
static PyObject *reset_waiting(PyObject *module, PyObject *object) {
    (void)module;
    Mapping *mapping = region_mapping(object, true);
    if (!mapping)
        return NULL;
    tshm_control *control = (tshm_control *)mapping->memory.start;
    (void)tshm_change(and, &control->head.word, ~TSHM_HEAD_AWAITED, relaxed);
    tshm_header header;
    tshm_ring ring;
    if (!tshm_check(mapping->memory.start, mapping->memory.size, &header, &ring) && ring.lossless)
        (void)tshm_change(and, &tshm_lossless_of(&ring)->room.word, ~TSHM_HEAD_AWAITED, relaxed);
    for (size_t i = 0; i < sizeof control->waiting.sleepers.bits / sizeof *control->waiting.sleepers.bits; i++) {
        tshm_store(&control->waiting.sleepers.bits[i], 0, relaxed);
        tshm_store(&control->waiting.writers.bits[i], 0, relaxed);
        tshm_store(&control->writer.sleepers.bits[i], 0, relaxed);
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"region_size", region_size, METH_VARARGS, "Bytes of a region with so many slots, payload and document bytes."},
    {"write_header", write_header, METH_VARARGS, "Turn zeroed memory into an empty region."},
    {"region_state", region_state, METH_O, "What the region's state word says."},
    {"read_header", read_header, METH_O, "The checked header as a dict; ValueError says what is wrong."},
    {"region_is", region_is, METH_VARARGS, "True while the memory holds that instance of a region."},
    {"reset_waiting", reset_waiting, METH_O, "Forget announced sleepers."},
    {NULL, NULL, 0, NULL},
};

int header_register(PyObject *module) {
    if (PyModule_AddIntConstant(module, "STATE_READY", TSHM_READY) < 0 ||
        PyModule_AddIntConstant(module, "SLOTS_MAX", TSHM_SLOTS_MAX) < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}
