/* Whole values: == without an object per field, repr, all fields as a dict and back, copies.
 *
 * It answers as the fields one by one would. Where bytes alone do not tell, or a field refuses its bytes, functions of
 * Python decide that have been told by register_whole(). */
#include "struct/whole.h"

#include "struct/fields.h"
#include "struct/struct.h"

/* ---- what Python tells ------------------------------------------------------------------------------------------ */

static PyObject *unreadable;      /* the error of a field whose bytes are none of its values */
static PyObject *equal_fields;    /* equal_fields(one, other, spec): whether a field is equal in two Structs */
static PyObject *show_unreadable; /* show_unreadable(value, spec): what has the repr of a field without a value */
static PyObject *show_array;      /* show_array(array, spec): what has the repr of an array that is shown */

static PyObject *register_whole(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *error, *equal, *shown_error, *shown_array;
    if (!PyArg_ParseTuple(args, "OOOO:register_whole", &error, &equal, &shown_error, &shown_array))
        return NULL;
    native_set(&unreadable, Py_NewRef(error));
    native_set(&equal_fields, Py_NewRef(equal));
    native_set(&show_unreadable, Py_NewRef(shown_error));
    native_set(&show_array, Py_NewRef(shown_array));
    Py_RETURN_NONE;
}

static Fields *fields_of_struct(PyObject *value) {
    if (struct_check(value))
        return fields_of_type(Py_TYPE(value));
    PyErr_Format(PyExc_TypeError, "typedshm: expected a Struct, found %R", (PyObject *)Py_TYPE(value));
    return NULL;
}

/* From how many bytes on to release the GIL for them. */
#define LARGE ((Py_ssize_t)1 << 16)

/* ---- == --------------------------------------------------------------------------------------------------------- */

static PyObject *richcompare(PyObject *self, PyObject *other, int op);

/* True if values of a class compare as their fields do, and not in a way of their own. */
static bool compares_plainly(PyTypeObject *type) {
    return PyType_GetSlot(type, Py_tp_richcompare) == (void *)richcompare && fields_are_read_plainly(type);
}

/* What the bytes of a field tell, given those of both. */
static verdict compare_bytes(const member *member, const char *one, const char *other) {
    const Field *field = member->field;
    const Fields *nested = member->nested;
    if (member->shadowed || (nested && !compares_plainly(nested->owner)))
        return COMPARISON_OPEN;
    if (!nested)
        return member->compare(one, other, field->size, member->unit, field->swapped);
    verdict found = COMPARISON_EQUAL;
    for (Py_ssize_t i = 0; i < nested->count && found == COMPARISON_EQUAL; i++) {
        Py_ssize_t offset = nested->members[i].field->offset;
        found = compare_bytes(&nested->members[i], one + offset, other + offset);
    }
    return found;
}

/* The same with buffers, which keep the bytes meanwhile; -1 and an error set if there are none any more. */
static int compare_buffers(const member *member, PyObject *one, PyObject *other) {
    Py_buffer ours, theirs;
    const char *mine = field_open_buffer(member->field, one, PyBUF_SIMPLE, &ours);
    if (!mine)
        return -1;
    int found = -1;
    const char *others = field_open_buffer(member->field, other, PyBUF_SIMPLE, &theirs);
    if (others) {
        if (member->field->size < LARGE || member->nested) { /* whose class is asked */
            found = compare_bytes(member, mine, others);
        } else {
            Py_BEGIN_ALLOW_THREADS
            found = compare_bytes(member, mine, others);
            Py_END_ALLOW_THREADS
        }
        PyBuffer_Release(&theirs);
    }
    PyBuffer_Release(&ours);
    return found;
}

/* What the bytes of a field tell in two Structs; -1 and an error set. */
static int compare_in_memory(const member *member, PyObject *one, PyObject *other) {
    if (member->field->size < LARGE) {
        const char *mine = field_direct(member->field, one, false);
        const char *others = field_direct(member->field, other, false);
        if (mine && others)
            return compare_bytes(member, mine, others);
    }
    return compare_buffers(member, one, other);
}

/* 1 or 0, or -1 and an error set. */
static int compare_values(const member *member, PyObject *one, PyObject *other) {
    PyObject *answer = PyObject_CallFunctionObjArgs(equal_fields, one, other, member->field->spec, NULL);
    int equal = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return equal;
}

/* Of two values of a class or its variants, which read attributes alike. */
static int compare(const Fields *fields, PyObject *one, PyObject *other) {
    bool plainly = !struct_slow() && fields_are_read_plainly(Py_TYPE(one));
    int found = COMPARISON_EQUAL;
    for (Py_ssize_t i = 0; i < fields->count && found == COMPARISON_EQUAL; i++) {
        found = plainly ? compare_in_memory(&fields->members[i], one, other) : COMPARISON_OPEN;
        if (found == COMPARISON_OPEN)
            found = compare_values(&fields->members[i], one, other);
    }
    return found;
}

/* As object does it: what is unequal is what is not equal, by the class's own ==. */
static PyObject *unequal(PyObject *self, PyObject *other) {
    richcmpfunc equal = (richcmpfunc)PyType_GetSlot(Py_TYPE(self), Py_tp_richcompare);
    PyObject *found = equal(self, other, Py_EQ);
    if (!found || found == Py_NotImplemented)
        return found;
    int truth = PyObject_IsTrue(found);
    Py_DECREF(found);
    return truth < 0 ? NULL : PyBool_FromLong(!truth);
}

static PyObject *richcompare(PyObject *self, PyObject *other, int op) {
    if (op == Py_NE)
        return unequal(self, other);
    if (op != Py_EQ || !struct_check(other))
        Py_RETURN_NOTIMPLEMENTED;
    Fields *fields = fields_of_struct(self);
    Fields *others = fields && Py_TYPE(other) != Py_TYPE(self) ? fields_of_type(Py_TYPE(other)) : fields;
    if (!others)
        return NULL;
    if (others != fields)
        Py_RETURN_NOTIMPLEMENTED;
    int equal = compare(fields, self, other);
    return equal < 0 ? NULL : PyBool_FromLong(equal);
}

/* ---- all fields as a dict, and back ------------------------------------------------------------------------------ */

/* Steals `value`. NULL and an error set. */
static PyObject *converted(PyObject *function, PyObject *value, PyObject *spec) {
    if (function == Py_None)
        return value;
    PyObject *result = PyObject_CallFunctionObjArgs(function, value, spec, NULL);
    Py_DECREF(value);
    return result;
}

/* The value of a field; of one without a value, an array or a Struct what the functions make of it, unless they are
 * None. */
static PyObject *value_of(Fields *fields, const member *member, PyObject *value, bool plainly, PyObject *refused,
                          PyObject *array, PyObject *nested) {
    PyObject *spec = member->field->spec;
    PyObject *found = fields_get(fields, member, value, plainly);
    if (!found && refused != Py_None && PyErr_ExceptionMatches(unreadable)) {
        PyErr_Clear();
        return PyObject_CallFunctionObjArgs(refused, value, spec, NULL);
    }
    if (!found || (member->single && !member->shadowed && plainly)) /* which is neither */
        return found;
    return converted(struct_check(found) ? nested : array, found, spec);
}

/* fields_of(value, refused, array, nested) */
static PyObject *fields_of(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count < 1 || count > 4) {
        PyErr_SetString(PyExc_TypeError, "fields_of: expected one to four arguments");
        return NULL;
    }
    PyObject *value = args[0];
    PyObject *refused = count > 1 ? args[1] : Py_None, *array = count > 2 ? args[2] : Py_None;
    PyObject *nested = count > 3 ? args[3] : Py_None;
    Fields *fields = fields_of_struct(value);
    PyObject *result = fields ? PyDict_New() : NULL;
    if (!result)
        return NULL;
    bool plainly = fields_are_read_plainly(Py_TYPE(value));
    for (Py_ssize_t i = 0; i < fields->count; i++) {
        PyObject *found = value_of(fields, &fields->members[i], value, plainly, refused, array, nested);
        if (!found || PyDict_SetItem(result, fields->members[i].name, found) < 0) {
            Py_XDECREF(found);
            Py_DECREF(result);
            return NULL;
        }
        Py_DECREF(found);
    }
    return result;
}

/* set_fields(value, fields) */
static PyObject *set_fields(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 2 || !PyDict_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "set_fields: expected a Struct and a dict");
        return NULL;
    }
    Fields *fields = fields_of_struct(args[0]);
    if (!fields)
        return NULL;
    bool plainly = fields_are_set_plainly(Py_TYPE(args[0]));
    for (Py_ssize_t i = 0; i < fields->count; i++) {
        const member *member = &fields->members[i];
        PyObject *item = PyDict_GetItemWithError(args[1], member->name);
        if (!item) {
            if (!PyErr_Occurred())
                PyErr_SetObject(PyExc_KeyError, member->name);
            return NULL;
        }
        Py_INCREF(item);
        int failed = fields_set(member, args[0], item, plainly);
        Py_DECREF(item);
        if (failed)
            return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- repr -------------------------------------------------------------------------------------------------------- */

/* The name of a class without the functions around it. */
static PyObject *title_of(PyTypeObject *type) {
    static const char local[] = "<locals>.";
    PyObject *name = PyType_GetQualName(type);
    const char *text = name ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
    const char *inner = text ? strstr(text, local) : NULL;
    if (!inner) {
        if (name)
            PyErr_Clear(); /* of a name with lone surrogates */
        return name;
    }
    for (const char *next = inner; next; next = strstr(inner, local))
        inner = next + strlen(local);
    PyObject *title = PyUnicode_FromString(inner);
    Py_DECREF(name);
    return title;
}

static PyObject *repr(PyObject *self) {
    Fields *fields = fields_of_struct(self);
    PyObject *texts = fields ? PyList_New(fields->count) : NULL;
    if (!texts)
        return NULL;
    bool plainly = fields_are_read_plainly(Py_TYPE(self));
    for (Py_ssize_t i = 0; i < fields->count; i++) {
        const member *member = &fields->members[i];
        PyObject *value = value_of(fields, member, self, plainly, show_unreadable, show_array, Py_None);
        PyObject *text = value ? PyUnicode_FromFormat("%U=%R", member->name, value) : NULL;
        Py_XDECREF(value);
        if (!text) {
            Py_DECREF(texts);
            return NULL;
        }
        PyList_SetItem(texts, i, text);
    }
    PyObject *comma = PyUnicode_FromString(", ");
    PyObject *all = comma ? PyUnicode_Join(comma, texts) : NULL;
    PyObject *title = all ? title_of(fields->owner) : NULL;
    PyObject *shown = title ? PyUnicode_FromFormat("%U(%U)", title, all) : NULL;
    Py_XDECREF(title);
    Py_XDECREF(all);
    Py_XDECREF(comma);
    Py_DECREF(texts);
    return shown;
}

static PyType_Slot whole_slots[] = {
    {Py_tp_doc, "Compares Structs field by field, never their padding, and shows them as their constructor is called."},
    {Py_tp_richcompare, richcompare},
    {Py_tp_repr, repr},
    {0, NULL},
};

static PyType_Spec whole_spec = {"typedshm._native.Whole", sizeof(PyObject), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, whole_slots};

/* ---- attributes of other objects --------------------------------------------------------------------------------- */

/* attributes_of(instance, names) */
static PyObject *attributes_of(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 2 || !PyTuple_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "attributes_of: expected an object and a tuple of names");
        return NULL;
    }
    PyObject *result = PyDict_New();
    for (Py_ssize_t i = 0; result && i < PyTuple_Size(args[1]); i++) {
        PyObject *name = PyTuple_GetItem(args[1], i);
        PyObject *value = PyObject_GetAttr(args[0], name);
        if (!value || PyDict_SetItem(result, name, value) < 0)
            Py_CLEAR(result);
        Py_XDECREF(value);
    }
    return result;
}

/* set_attributes(instance, attributes) */
static PyObject *set_attributes(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 2 || !PyDict_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "set_attributes: expected an object and a dict");
        return NULL;
    }
    PyObject *name, *value;
    for (Py_ssize_t at = 0; PyDict_Next(args[1], &at, &name, &value);) {
        Py_INCREF(name);
        Py_INCREF(value);
        int failed = PyObject_GenericSetAttr(args[0], name, value);
        Py_DECREF(name);
        Py_DECREF(value);
        if (failed)
            return NULL;
    }
    Py_RETURN_NONE;
}

/* ---- copies ------------------------------------------------------------------------------------------------------ */

/* What of a value is to be copied into zeroed bytes; the source may have been resized. */
static void copy_value(const Extents *extents, void *to, const void *from, size_t size) {
    if (extents)
        extents_copy(extents, to, from);
    else
        memcpy(to, from, size);
}

static bool copy_bytes(const Extents *extents, PyObject *from, PyObject *to) {
    Py_buffer source, target;
    if (PyObject_GetBuffer(from, &source, PyBUF_SIMPLE) < 0)
        return false;
    bool copied = PyObject_GetBuffer(to, &target, PyBUF_WRITABLE) == 0;
    if (copied && source.len < target.len) {
        copied = false;
        PyErr_Format(PyExc_ValueError, "a Struct of %zd bytes has an object of %zd", target.len, source.len);
        PyBuffer_Release(&target);
    } else if (copied) {
        if (source.len < LARGE) {
            copy_value(extents, target.buf, source.buf, (size_t)target.len);
        } else {
            Py_BEGIN_ALLOW_THREADS
            copy_value(extents, target.buf, source.buf, (size_t)target.len);
            Py_END_ALLOW_THREADS
        }
        PyBuffer_Release(&target);
    }
    PyBuffer_Release(&source);
    return copied;
}

static PyObject *snapshot_of(PyObject *module, PyObject *value) {
    (void)module;
    Fields *fields = fields_of_struct(value);
    PyObject *copy = fields ? struct_new(fields->owner) : NULL;
    if (!copy || !copy_bytes(fields->extents, value, copy)) {
        Py_XDECREF(copy);
        return NULL;
    }
    return copy;
}

/* ---- registration ------------------------------------------------------------------------------------------------ */

#define FAST(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef functions[] = {
    {"register_whole", register_whole, METH_VARARGS,
     "Tell the core the error of an unreadable field, and who compares fields whose bytes do not decide."},
    {"fields_of", FAST(fields_of), METH_FASTCALL, "All fields of a Struct as a dict."},
    {"set_fields", FAST(set_fields), METH_FASTCALL, "Set all fields of a Struct from a dict."},
    {"attributes_of", FAST(attributes_of), METH_FASTCALL, "Some attributes of an object as a dict."},
    {"set_attributes", FAST(set_attributes), METH_FASTCALL, "Set attributes of an object as object.__setattr__ does."},
    {"snapshot_of", snapshot_of, METH_O, "A copy of a Struct with bytes of its own, of no version."},
    {NULL, NULL, 0, NULL},
};

int whole_register(PyObject *module) {
    PyObject *type = PyType_FromSpec(&whole_spec);
    int failed = !type || PyModule_AddObjectRef(module, "Whole", type) < 0;
    Py_XDECREF(type);
    return failed ? -1 : PyModule_AddFunctions(module, functions);
}
