#include "wait/waiter.h"

#include <stdlib.h>

static void free_one(flag_item *item) {
    struct waiter *waiter = (struct waiter *)item; /* its first member */
    Py_DECREF(item->object);
    Py_DECREF((PyObject *)waiter->ring);
    if (waiter->flag)
        flag_release(waiter->flag);
    free(waiter);
}

struct waiter *waiter_new(Opened *ring, PyObject *wake, struct flag_state *flag) {
    struct waiter *waiter = malloc(sizeof *waiter);
    if (!waiter) {
        PyErr_NoMemory();
        return NULL;
    }
    Py_INCREF((PyObject *)ring);
    Py_INCREF(wake);
    if (flag)
        flag_keep(flag);
    *waiter = (struct waiter){{NULL, wake, free_one}, NULL, ring, flag};
    return waiter;
}

void waiter_free_all(struct waiter *list) {
    while (list) {
        struct waiter *waiter = list;
        list = waiter->next;
        free_one(&waiter->item);
    }
}

static void call(PyObject *wake) {
    PyObject *result = PyObject_CallNoArgs(wake);
    if (!result)
        PyErr_WriteUnraisable(wake);
    Py_XDECREF(result);
}

void waiter_wake_all(struct waiter *list) {
    while (list) {
        struct waiter *waiter = list;
        list = waiter->next;
        struct flag_state *flag = waiter->flag;
        if (!flag)
            call(waiter->item.object);
        else
            flag_keep(flag); /* from the push on, the waiter is the flag's */
        if (!flag || !flag_push(flag, &waiter->item))
            free_one(&waiter->item);
        if (flag) {
            flag_raise(flag);
            flag_release(flag);
        }
    }
}
