/* Fields: all fields of a Struct class, for what is done to whole values. */
#ifndef TYPEDSHM_FIELDS_H
#define TYPEDSHM_FIELDS_H

#include "struct/comparison.h"
#include "struct/extents.h"
#include "struct/field.h"

typedef struct Fields Fields;

typedef struct {
    PyObject *name;
    Field *field;
    comparison *compare;
    Py_ssize_t unit;
    Fields *nested; /* those of a Struct; NULL for other kinds */
    bool shadowed;  /* the class has another attribute of that name, which comes first */
    bool single;    /* neither a Struct nor an array: variants of the class have the same descriptor */
} member;

struct Fields {
    PyObject_HEAD
    PyTypeObject *owner;   /* the plain class */
    PyObject *names;       /* a tuple */
    PyObject *constructor; /* the generated __init__, which does nothing but set all fields; NULL if there is none */
    PyObject *defaults;    /* of its arguments, a dict */
    Extents *extents;      /* NULL if the values are copied whole */
    Py_ssize_t count;
    member *members; /* in the order of the layout */
};

/* Those of a Struct class or variant, borrowed from the class; NULL and an error set if it has none. */
Fields *fields_of_type(PyTypeObject *type);
/* True for classes that read and set attributes like every object, and not in a way of their own. */
bool fields_are_read_plainly(PyTypeObject *type);
bool fields_are_set_plainly(PyTypeObject *type);
int fields_register(PyObject *module);

/* What an attribute of that name is. `plainly` as the class is told above; inline, as is all that is done per field. */
static inline PyObject *fields_get(Fields *fields, const member *member, PyObject *instance, bool plainly) {
    bool direct = plainly && !member->shadowed && (member->single || Py_TYPE(instance) == fields->owner);
    if (direct && member->field->codec)
        return member->field->codec->get(member->field, instance);
    return PyObject_GetAttr(instance, member->name);
}

/* A variant's own descriptors set no field in another way: its guards refuse, or let through, whoever sets it. */
static inline int fields_set(const member *member, PyObject *instance, PyObject *value, bool plainly) {
    if (plainly && !member->shadowed && member->field->codec)
        return member->field->codec->set(member->field, instance, value);
    return PyObject_SetAttr(instance, member->name, value);
}

#endif
