/* Arguments of fast calls (METH_FASTCALL | METH_KEYWORDS). */
#ifndef TYPEDSHM_ARGUMENTS_H
#define TYPEDSHM_ARGUMENTS_H

#include "native.h"

/* A verb takes at most one positional argument, its value; everything else only by keyword, since a number in its place
 * would be seconds to one reader and a version to another. */
typedef struct {
    const char *name;
    const char *const *keywords; /* the value's first, if there is one; NULL behind the last */
    bool has_value;
    const char *remedy; /* what to write instead of a further argument, which stands for every %U */
} arguments_verb;

/* There are no more positional arguments, and all keywords are known. */
bool arguments_fit(const arguments_verb *verb, PyObject *const *args, Py_ssize_t count, PyObject *names);
/* The value, or NULL and an error set. Borrowed. */
PyObject *arguments_value(const arguments_verb *verb, PyObject *const *args, Py_ssize_t count, PyObject *names);
/* A keyword's argument, or NULL if it was not given. Borrowed. */
PyObject *arguments_get(PyObject *const *args, Py_ssize_t count, PyObject *names, const char *name);
/* TypeError, or the given kind: "parameter: expected …, found …". Always false. */
bool arguments_refuse(PyObject *kind, const char *parameter, const char *expected, PyObject *found);
/* A version's number. False and an error set if it is none. */
bool arguments_version(PyObject *given, const char *parameter, uint64_t *number);

#endif
