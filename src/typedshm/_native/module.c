/* The extension module: one line per noun. */
#include "native.h"

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                                        "_native",
                                        "The C core of typedshm: integers and buffers in, integers and buffers out.",
                                        -1,
                                        NULL,
                                        NULL,
                                        NULL,
                                        NULL,
                                        NULL};

PyMODINIT_FUNC PyInit__native(void) {
    PyObject *module = PyModule_Create(&definition);
    if (!module)
        return NULL;
#ifdef Py_GIL_DISABLED
    PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
    if (lease_add(module) < 0 || field_add(module) < 0 || memory_add(module) < 0 || byte_locks_add(module) < 0 ||
        handles_add(module) < 0 || header_add(module) < 0 || mutex_add(module) < 0 || guard_add(module) < 0 ||
        task_add(module) < 0 || seen_add(module) < 0 || ring_add(module) < 0 || block_add(module) < 0 ||
        pin_add(module) < 0 || borrow_add(module) < 0 || view_add(module) < 0 || waitset_add(module) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
