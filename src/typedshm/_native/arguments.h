/* Arguments of fast calls (METH_FASTCALL | METH_KEYWORDS). */
#ifndef TYPEDSHM_ARGUMENTS_H
#define TYPEDSHM_ARGUMENTS_H

#include "native.h"

/* All keywords are among the `known` ones, and there are not too many positional ones. */
bool arguments_fit(const char *verb, Py_ssize_t count, Py_ssize_t most, PyObject *names, const char *const *known);
/* Keyword `name`, or positional `index` (-1: keyword only); NULL if not given. Borrowed. */
PyObject *arguments_get(PyObject *const *args, Py_ssize_t count, PyObject *names, Py_ssize_t index, const char *name);

#endif
