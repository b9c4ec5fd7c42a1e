/* Extents: the plan of a layout by which the protocol copies, see tshm_plan; and copies between values of one's own. */
#include "struct/extents.h"

static PyTypeObject *extents_type;

bool extents_check(PyObject *object) {
    return Py_TYPE(object) == extents_type;
}

PyObject *extents_excess(const Extents *self, const void *value) {
    for (uint32_t i = 0; i < self->plan.count; i++)
        for (uint32_t axis = 0; axis < self->extents[i].axes; axis++)
            if (tshm_count(&self->extents[i], axis, value) > self->extents[i].most[axis])
                return PyTuple_GetItem(self->paths, (Py_ssize_t)i);
    return NULL;
}

static void copy_part(void *to, const void *from, uint64_t begin, uint64_t end) {
    memcpy((char *)to + begin, (const char *)from + begin, (size_t)(end - begin));
}

/* The source may be a slot that one looks at in place: its numbers are looked at once, as by tshm_copy_used_out(). */
void extents_copy(const Extents *self, void *to, const void *from) {
    const tshm_plan *plan = &self->plan;
    for (uint32_t i = 0; i <= plan->count; i++)
        copy_part(to, from, tshm_fixed_begin(plan, i), tshm_fixed_end(plan, i));
    for (uint32_t i = 0; i < plan->count; i++) {
        uint64_t data = plan->extents[i].data;
        copy_part(to, from, data, data + tshm_used(&plan->extents[i], to));
    }
}

void extents_clear(const Extents *self, void *value) {
    for (uint32_t i = 0; i < self->plan.count; i++)
        memset((char *)value + self->extents[i].counts, 0, 4 * (size_t)self->extents[i].axes);
}

/* ---- the type ------------------------------------------------------------------------------ */

/* What copying relies on: the parts lie in the value, one after the other. */
static bool plausible(const tshm_plan *plan) {
    uint64_t end = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        const tshm_extent *extent = &plan->extents[i];
        uint64_t room = extent->step;
        for (uint32_t axis = 0; axis < extent->axes && room; axis++)
            room = extent->most[axis] && room <= plan->size / extent->most[axis] ? room * extent->most[axis] : 0;
        if (!room || !extent->axes || extent->counts < end || extent->counts > plan->size ||
            extent->data < extent->counts + 4 * (uint64_t)extent->axes || extent->data > plan->size ||
            room > plan->size - extent->data)
            return false;
        end = extent->data + room;
    }
    return true;
}

/* (path, counts, big-endian, data, step, most) */
static bool take_extent(Extents *self, Py_ssize_t i, PyObject *from, uint32_t *most) {
    tshm_extent *extent = &self->extents[i];
    PyObject *path, *dims;
    unsigned long long counts, data, step;
    int big;
    if (!PyArg_ParseTuple(from, "UKpKKO!:Extents", &path, &counts, &big, &data, &step, &PyTuple_Type, &dims))
        return false;
    PyTuple_SetItem(self->paths, i, Py_NewRef(path));
    extent->counts = counts;
    extent->data = data;
    extent->step = step;
    extent->swapped = big != PY_BIG_ENDIAN;
    extent->most = most;
    for (Py_ssize_t axis = 0; axis < PyTuple_Size(dims); axis++) {
        unsigned long long dim = PyLong_AsUnsignedLongLong(PyTuple_GetItem(dims, axis));
        if (PyErr_Occurred())
            return false;
        most[axis] = dim <= UINT32_MAX ? (uint32_t)dim : 0; /* 0 is not plausible */
    }
    extent->axes = (uint32_t)PyTuple_Size(dims);
    return true;
}

static Py_ssize_t count_axes(PyObject *extents) {
    Py_ssize_t axes = 0;
    for (Py_ssize_t i = 0; i < PyTuple_Size(extents); i++) {
        PyObject *extent = PyTuple_GetItem(extents, i);
        PyObject *dims = PyTuple_Check(extent) && PyTuple_Size(extent) == 6 ? PyTuple_GetItem(extent, 5) : NULL;
        if (!dims || !PyTuple_Check(dims)) {
            PyErr_SetString(PyExc_TypeError, "Extents: expected a tuple of (path, counts, big, data, step, most)");
            return -1;
        }
        axes += PyTuple_Size(dims);
    }
    return axes;
}

static PyObject *extents_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"size", "extents", NULL};
    unsigned long long size;
    PyObject *given;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KO!:Extents", names, &size, &PyTuple_Type, &given))
        return NULL;
    Py_ssize_t count = PyTuple_Size(given), axes = count_axes(given);
    if (axes < 0)
        return NULL;
    Extents *self = (Extents *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0); /* zeroed */
    if (!self)
        return NULL;
    self->extents = PyMem_Calloc((size_t)count + 1, sizeof *self->extents);
    self->most = PyMem_Calloc((size_t)axes + 1, sizeof *self->most);
    self->paths = PyTuple_New(count);
    if (!self->extents || !self->most || !self->paths) {
        Py_DECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    uint32_t *most = self->most;
    for (Py_ssize_t i = 0; i < count; most += self->extents[i++].axes) {
        if (!take_extent(self, i, PyTuple_GetItem(given, i), most)) {
            Py_DECREF((PyObject *)self);
            return NULL;
        }
    }
    self->plan = (tshm_plan){size, (uint32_t)count, self->extents};
    if (!plausible(&self->plan)) {
        Py_DECREF((PyObject *)self);
        PyErr_SetString(PyExc_ValueError, "Extents: they lie outside the value, or overlap");
        return NULL;
    }
    return (PyObject *)self;
}

static void extents_dealloc(PyObject *object) {
    Extents *self = (Extents *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyMem_Free(self->extents);
    PyMem_Free(self->most);
    Py_XDECREF(self->paths);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(object);
    Py_DECREF(type);
}

/* ---- packed: just what is used, for pickles and recordings --------------------------------------------------------
 */

uint64_t extents_packed_size(const Extents *self, const void *value) {
    uint64_t size = 0;
    for (uint32_t i = 0; i <= self->plan.count; i++)
        size += tshm_fixed_end(&self->plan, i) - tshm_fixed_begin(&self->plan, i);
    for (uint32_t i = 0; i < self->plan.count; i++)
        size += tshm_used(&self->extents[i], value);
    return size;
}

static void move_part(char *part, char **packed, uint64_t size, bool pack) {
    memcpy(pack ? *packed : part, pack ? part : *packed, (size_t)size);
    *packed += size;
}

/* Between a whole value and a packed one: first what is fixed, which has the numbers of used items. */
static void move_fixed(const Extents *self, char *value, char **packed, bool pack) {
    for (uint32_t i = 0; i <= self->plan.count; i++) {
        uint64_t begin = tshm_fixed_begin(&self->plan, i);
        move_part(value + begin, packed, tshm_fixed_end(&self->plan, i) - begin, pack);
    }
}

static void move_used(const Extents *self, char *value, char **packed, bool pack) {
    for (uint32_t i = 0; i < self->plan.count; i++)
        move_part(value + self->extents[i].data, packed, tshm_used(&self->extents[i], value), pack);
}

void extents_pack(const Extents *self, const void *value, char *packed) {
    move_fixed(self, (char *)value, &packed, true);
    move_used(self, (char *)value, &packed, true);
}

bool extents_unpack(const Extents *self, const void *packed, uint64_t size, void *value) {
    uint64_t fixed = self->plan.size;
    for (uint32_t i = 0; i < self->plan.count; i++)
        fixed -= tshm_room(&self->extents[i]);
    if (size < fixed)
        return false;
    char *from = (char *)packed;
    move_fixed(self, value, &from, false);
    bool fits = size == extents_packed_size(self, value);
    if (fits)
        move_used(self, value, &from, false);
    return fits;
}

static PyObject *pack(PyObject *object, PyObject *value) {
    Extents *self = (Extents *)object;
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    PyObject *packed = NULL;
    if ((uint64_t)view.len < self->plan.size)
        PyErr_Format(PyExc_ValueError, "expected a value of %llu bytes, found %zd", (unsigned long long)self->plan.size,
                     view.len);
    else
        packed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)extents_packed_size(self, view.buf));
    if (packed)
        extents_pack(self, view.buf, PyBytes_AsString(packed));
    PyBuffer_Release(&view);
    return packed;
}

/* unpack(packed, value): into zeroed bytes. False if the packed bytes are not of the size that they tell. */
static PyObject *unpack(PyObject *object, PyObject *args) {
    Extents *self = (Extents *)object;
    Py_buffer packed, value;
    if (!PyArg_ParseTuple(args, "y*w*:unpack", &packed, &value))
        return NULL;
    bool fits =
        (uint64_t)value.len == self->plan.size && extents_unpack(self, packed.buf, (uint64_t)packed.len, value.buf);
    PyBuffer_Release(&packed);
    PyBuffer_Release(&value);
    return PyBool_FromLong(fits);
}

static PyMethodDef methods[] = {
    {"pack", pack, METH_O, "The bytes of a value without those that are not used."},
    {"unpack", unpack, METH_VARARGS, "Fill the zeroed bytes of a value; False if the packed ones are of another size."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Which parts of the values of a layout are copied if only what is used is."},
    {Py_tp_new, extents_create},
    {Py_tp_dealloc, extents_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Extents", sizeof(Extents), 0, Py_TPFLAGS_DEFAULT, slots};

int extents_register(PyObject *module) {
    extents_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return extents_type ? PyModule_AddObjectRef(module, "Extents", (PyObject *)extents_type) : -1;
}
