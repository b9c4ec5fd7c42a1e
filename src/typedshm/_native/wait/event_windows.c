/* Event: an event of the system's, by its exact name, which another program sets. */
#include "wait/event_windows.h"

#include "memory/names_windows.h"
#include "timeout.h"

static PyTypeObject *event_type;

static const DWORD SIGNAL_SLICE = 50; /* ms between looks at Python's signal handlers */

typedef struct {
    PyObject_HEAD
    TSHM_ATOMIC(HANDLE) handle; /* NULL once closed */
    tshm_atomic_u32 users;      /* threads that may be about to use the handle */
    bool created;
} Event;

/* The handle, which stays open until leave(); NULL once closed. */
static HANDLE enter(Event *self) {
    /* before the look at the handle; close() does both reversed, so that one of the two sees the other */
    atomic_fetch_add_explicit(&self->users, 1, memory_order_seq_cst);
    return tshm_load(&self->handle, seq_cst);
}

static void leave(Event *self) {
    atomic_fetch_sub_explicit(&self->users, 1, memory_order_seq_cst); /* with close()'s look, before CloseHandle() */
}

static HANDLE make(names_object *names, bool manual, DWORD *error) {
    HANDLE handle = CreateEventW(&names->attributes, manual, FALSE, names->name);
    *error = GetLastError();
    if (!handle && *error == ERROR_ACCESS_DENIED) { /* who may not do everything with it may yet set it */
        handle = OpenEventW(SYNCHRONIZE | EVENT_MODIFY_STATE, FALSE, names->name);
        *error = handle ? ERROR_ALREADY_EXISTS : GetLastError();
    }
    return handle;
}

static HANDLE find(const names_object *names, bool signal, DWORD *error) {
    HANDLE handle = OpenEventW(SYNCHRONIZE | (signal ? EVENT_MODIFY_STATE : 0), FALSE, names->name);
    *error = handle ? ERROR_ALREADY_EXISTS : GetLastError();
    return handle;
}

static PyObject *event_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *words[] = {"name", "signal", "create", "manual", "security", NULL};
    PyObject *name, *sddl = NULL;
    int signal = 0, create = 0, manual = 0;
    names_object names;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|pppU:Event", words, &name, &signal, &create, &manual, &sddl) ||
        !names_from(name, sddl, &names))
        return NULL;
    DWORD error;
    HANDLE handle = create ? make(&names, manual, &error) : find(&names, signal, &error);
    names_free(&names);
    if (!handle)
        return PyErr_SetFromWindowsErr((int)error);
    Event *self = PyObject_New(Event, event_type);
    if (!self) {
        CloseHandle(handle);
        return NULL;
    }
    tshm_store(&self->handle, handle, relaxed);
    tshm_store(&self->users, 0, relaxed);
    self->created = error != ERROR_ALREADY_EXISTS;
    return (PyObject *)self;
}

static void event_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    HANDLE handle = tshm_load(&((Event *)object)->handle, relaxed);
    if (handle)
        CloseHandle(handle);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* One wait of at most `slice` ms: True, False, None once closed; NULL and an error set. */
static PyObject *wait_once(Event *self, DWORD slice) {
    DWORD result = WAIT_FAILED, error = 0;
    HANDLE handle = enter(self);
    if (handle) {
        Py_BEGIN_ALLOW_THREADS
        result = WaitForSingleObject(handle, slice);
        error = GetLastError();
        Py_END_ALLOW_THREADS
    }
    leave(self);
    if (handle && result == WAIT_FAILED)
        return PyErr_SetFromWindowsErr((int)error);
    return handle ? PyBool_FromLong(result == WAIT_OBJECT_0) : Py_NewRef(Py_None);
}

static PyObject *event_wait(PyObject *object, PyObject *timeout) {
    int64_t ns;
    if (timeout_convert(timeout, &ns) < 0)
        return NULL;
    uint64_t start = os_monotonic_ns();
    for (;;) {
        int64_t left = ns == TIMEOUT_FOREVER ? INT64_MAX : ns - (int64_t)(os_monotonic_ns() - start);
        DWORD slice = left <= 0 ? 0 : left >= SIGNAL_SLICE * 1000000ll ? SIGNAL_SLICE : (DWORD)(left / 1000000 + 1);
        PyObject *result = wait_once((Event *)object, slice);
        if (result != Py_False)
            return result;
        if (PyErr_CheckSignals() < 0) {
            Py_DECREF(result);
            return NULL;
        }
        if (left <= 0)
            return result;
        Py_DECREF(result);
    }
}

static PyObject *change(PyObject *object, BOOL(WINAPI *function)(HANDLE event)) {
    Event *self = (Event *)object;
    HANDLE handle = enter(self);
    BOOL done = !handle || function(handle);
    DWORD error = GetLastError();
    leave(self);
    return done ? PyBool_FromLong(handle != NULL) : PyErr_SetFromWindowsErr((int)error);
}

static PyObject *event_set(PyObject *self, PyObject *unused) {
    (void)unused;
    return change(self, SetEvent);
}

static PyObject *event_reset(PyObject *self, PyObject *unused) {
    (void)unused;
    return change(self, ResetEvent);
}

static PyObject *event_pulse(PyObject *self, PyObject *unused) {
    (void)unused;
    return change(self, PulseEvent);
}

static PyObject *event_close(PyObject *object, PyObject *unused) {
    (void)unused;
    Event *self = (Event *)object;
    HANDLE handle = atomic_exchange_explicit(&self->handle, NULL, memory_order_seq_cst); /* with enter() */
    while (handle && tshm_load(&self->users, seq_cst)) { /* who waits looks again within a slice */
        Py_BEGIN_ALLOW_THREADS
        Sleep(1);
        Py_END_ALLOW_THREADS
    }
    if (handle)
        CloseHandle(handle);
    Py_RETURN_NONE;
}

static PyObject *get_created(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Event *)object)->created);
}

static PyMethodDef event_methods[] = {
    {"wait", event_wait, METH_O, "Wait until it is set: True, False if the time is over, None if it is closed."},
    {"set", event_set, METH_NOARGS, "Set it; False if it is closed."},
    {"reset", event_reset, METH_NOARGS, "Take back what set() did; False if it is closed."},
    {"pulse", event_pulse, METH_NOARGS, "Wake who waits at this moment; False if it is closed."},
    {"close", event_close, METH_NOARGS, "Close it; the second time does nothing."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef event_getset[] = {
    {"created", get_created, NULL, "True if nobody had it open before.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot event_slots[] = {
    {Py_tp_doc, "An event of the system's, by its exact name."},
    {Py_tp_new, event_create},
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_methods, event_methods},
    {Py_tp_getset, event_getset},
    {0, NULL},
};

static PyType_Spec event_spec = {"typedshm._native.Event", sizeof(Event), 0, Py_TPFLAGS_DEFAULT, event_slots};

int event_register(PyObject *module) {
    event_type = (PyTypeObject *)PyType_FromSpec(&event_spec);
    return event_type ? PyModule_AddObjectRef(module, "Event", (PyObject *)event_type) : -1;
}
