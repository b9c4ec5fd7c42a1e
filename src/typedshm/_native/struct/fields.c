/* Fields: what the core knows of a whole class. The class's plan has it, so that its variants have it as well. */
#include "struct/fields.h"

static PyTypeObject *fields_type;
static PyObject *plan_name, *fields_name;
static void *plain_get, *plain_set; /* how object reads and sets attributes */

Fields *fields_of_type(PyTypeObject *type) {
    PyObject *plan = PyObject_GetAttr((PyObject *)type, plan_name);
    PyObject *fields = plan ? PyObject_GetAttr(plan, fields_name) : NULL;
    Py_XDECREF(plan);
    if (!fields)
        return NULL;
    Py_DECREF(fields); /* the class keeps its plan, and that its fields */
    if (Py_TYPE(fields) == fields_type)
        return (Fields *)fields;
    PyErr_Format(PyExc_TypeError, "%R: expected its plan to have Fields", (PyObject *)type);
    return NULL;
}

bool fields_are_read_plainly(PyTypeObject *type) {
    return PyType_GetSlot(type, Py_tp_getattro) == plain_get;
}

bool fields_are_set_plainly(PyTypeObject *type) {
    return PyType_GetSlot(type, Py_tp_setattro) == plain_set;
}

/* ---- the type ------------------------------------------------------------------------------ */

/* Whether those of a nested Struct lie inside of it. */
static bool has_room(PyObject *field, PyObject *nested) {
    Fields *inner = (Fields *)nested;
    for (Py_ssize_t i = 0; i < inner->count; i++)
        if (inner->members[i].field->offset > ((Field *)field)->size - inner->members[i].field->size)
            return false;
    return true;
}

/* (name, Field, whether it is shadowed, whether it is single, comparison, unit, Fields or None) */
static bool take_member(member *to, PyObject *from) {
    PyObject *name, *field, *nested;
    const char *compare;
    Py_ssize_t unit;
    int shadowed, single;
    if (!PyArg_ParseTuple(from, "UOppsnO:Fields", &name, &field, &shadowed, &single, &compare, &unit, &nested))
        return false;
    if (!field_check(field) || !((Field *)field)->codec ||
        (nested != Py_None && (Py_TYPE(nested) != fields_type || !has_room(field, nested)))) {
        PyErr_SetString(PyExc_TypeError, "Fields: a field is not initialised, or nested ones do not fit");
        return false;
    }
    to->compare = comparison_named(compare, ((Field *)field)->size, unit);
    if (!to->compare)
        return false;
    Py_INCREF(name);
    PyUnicode_InternInPlace(&name);
    Py_INCREF(field);
    to->name = name;
    to->field = (Field *)field;
    to->unit = unit;
    to->shadowed = shadowed;
    to->single = single;
    if (nested != Py_None)
        to->nested = (Fields *)Py_NewRef(nested);
    return true;
}

static PyObject *create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *owner, *members, *extents;
    static char *names[] = {"owner", "members", "extents", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O:Fields", names, &PyType_Type, &owner, &PyTuple_Type, &members,
                                     &extents))
        return NULL;
    if (extents != Py_None && !extents_check(extents)) {
        PyErr_SetString(PyExc_TypeError, "Fields: expected Extents or None");
        return NULL;
    }
    Fields *self = PyObject_GC_New(Fields, type);
    if (!self)
        return NULL;
    Py_ssize_t count = PyTuple_Size(members);
    self->owner = (PyTypeObject *)Py_NewRef(owner);
    self->names = PyTuple_New(count);
    self->constructor = self->defaults = NULL;
    self->extents = extents == Py_None ? NULL : (Extents *)Py_NewRef(extents);
    self->count = 0; /* those that are complete */
    self->members = PyMem_Calloc((size_t)count + 1, sizeof *self->members);
    PyObject_GC_Track(self);
    if (!self->members || !self->names) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    for (; self->count < count; self->count++) {
        member *next = &self->members[self->count];
        if (!take_member(next, PyTuple_GetItem(members, self->count))) {
            Py_DECREF(self);
            return NULL;
        }
        PyTuple_SetItem(self->names, self->count, Py_NewRef(next->name));
    }
    return (PyObject *)self;
}

static int traverse(PyObject *object, visitproc visit, void *arg) {
    Fields *self = (Fields *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT((PyObject *)self->owner);
    Py_VISIT(self->constructor);
    Py_VISIT(self->defaults);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_VISIT((PyObject *)self->members[i].field);
        Py_VISIT((PyObject *)self->members[i].nested);
    }
    return 0;
}

static int clear(PyObject *object) {
    Fields *self = (Fields *)object;
    Py_CLEAR(self->owner);
    Py_CLEAR(self->names);
    Py_CLEAR(self->constructor);
    Py_CLEAR(self->defaults);
    while (self->count > 0) { /* it may be read meanwhile, by an object in the same dying cycle */
        member *last = &self->members[--self->count];
        Py_CLEAR(last->name);
        Py_CLEAR(last->field);
        Py_CLEAR(last->nested);
    }
    return 0;
}

static void dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    clear(object);
    Py_XDECREF((PyObject *)((Fields *)object)->extents);
    PyMem_Free(((Fields *)object)->members);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyObject *set_constructor(PyObject *object, PyObject *args) {
    Fields *self = (Fields *)object;
    PyObject *function, *defaults;
    if (!PyArg_ParseTuple(args, "OO!:set_constructor", &function, &PyDict_Type, &defaults))
        return NULL;
    native_set(&self->constructor, Py_NewRef(function));
    native_set(&self->defaults, Py_NewRef(defaults));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"set_constructor", set_constructor, METH_VARARGS,
     "Tell the generated __init__, and the defaults of its arguments."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef properties[] = {
    {"names", T_OBJECT_EX, offsetof(Fields, names), READONLY, "Their names."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "All fields of a Struct class."},
    {Py_tp_new, create},
    {Py_tp_dealloc, dealloc},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_methods, methods},
    {Py_tp_members, properties},
    {0, NULL},
};

static PyType_Spec spec = {"typedshm._native.Fields", sizeof(Fields), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                           slots};

int fields_register(PyObject *module) {
    plan_name = PyUnicode_InternFromString("_plan");
    fields_name = PyUnicode_InternFromString("fields");
    plain_get = PyType_GetSlot(&PyBaseObject_Type, Py_tp_getattro);
    plain_set = PyType_GetSlot(&PyBaseObject_Type, Py_tp_setattro);
    fields_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (!plan_name || !fields_name || !fields_type)
        return -1;
    return PyModule_AddObjectRef(module, "Fields", (PyObject *)fields_type);
}
