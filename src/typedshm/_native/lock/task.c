#include "lock/task.h"

#include "lock/guarded.h"

static PyObject *running; /* told by register_running_task() */

/* A function of a module that somebody else may have imported. */
struct asked {
    const char *words[2];
    PyObject *name, *attribute, *function, *module; /* the last two are NULL until it is imported */
};

enum { ASYNCIO, TRIO, GREENLET, ASKED };

static struct asked asked[ASKED] = {{{"asyncio", "_get_running_loop"}, NULL, NULL, NULL, NULL},
                                    {{"trio", "lowlevel"}, NULL, NULL, NULL, NULL},
                                    {{"greenlet", "getcurrent"}, NULL, NULL, NULL, NULL}};

/* Which of them are imported. To look at the number of modules is quicker than to look for three of them. */
static void find_modules(void) {
    static Py_ssize_t count = -1;
    PyObject *modules = PyImport_GetModuleDict();
    Py_ssize_t now = PyDict_Size(modules);
    if (now == count)
        return;
    for (size_t i = 0; i < ASKED; i++) {
        PyObject *module = PyDict_GetItemWithError(modules, asked[i].name);
        if (asked[i].module != module)
            asked[i].module = Py_XNewRef(module); /* for good: without a GIL another thread may be using the old one */
    }
    count = now;
}

/* What the function returns, for a comparison with what it has returned before; NULL for None, and where another thread
 * is still importing the module. */
static const void *ask(struct asked *one) {
    if (!one->module)
        return NULL;
    if (!one->function)
        one->function = PyObject_GetAttr(one->module, one->attribute);
    PyObject *result = one->function ? PyObject_CallNoArgs(one->function) : NULL;
    if (!result)
        PyErr_Clear();
    Py_XDECREF(result); /* who runs does not end meanwhile */
    return result == Py_None ? NULL : result;
}

static const void *name_of(PyObject *pair, Py_ssize_t index) {
    PyObject *object = PyTuple_GetItem(pair, index);
    return object == Py_None ? NULL : object;
}

/* Most calls find out here that there is no task, which is what Python's code would need longer for. */
bool task_running(task_name *name) {
    find_modules();
    *name = (task_name){NULL, ask(&asked[GREENLET])};
    if (!running || !(asked[TRIO].module || ask(&asked[ASYNCIO])))
        return true;
    PyObject *pair = PyObject_CallNoArgs(running);
    if (pair && PyTuple_Check(pair) && PyTuple_Size(pair) == 2)
        *name = (task_name){name_of(pair, 0), name_of(pair, 1)};
    Py_XDECREF(pair);
    return pair != NULL;
}

int task_compare(const task_name *holder, const task_name *now) {
    if (holder->task && holder->task != now->task)
        return GUARDED_OTHER_TASK;
    if (holder->greenlet && holder->greenlet != now->greenlet)
        return GUARDED_OTHER_GREENLET;
    return GUARDED_TAKEN;
}

static PyObject *register_running_task(PyObject *module, PyObject *function) {
    (void)module;
    Py_INCREF(function);
    native_set(&running, function);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"register_running_task", register_running_task, METH_O, "Tell the core who knows the task that runs."},
    {NULL, NULL, 0, NULL},
};

int task_register(PyObject *module) {
    for (size_t i = 0; i < ASKED; i++) {
        asked[i].name = PyUnicode_InternFromString(asked[i].words[0]);
        asked[i].attribute = PyUnicode_InternFromString(asked[i].words[1]);
        if (!asked[i].name || !asked[i].attribute)
            return -1;
    }
    return PyModule_AddFunctions(module, functions);
}
