/* Section: shared memory of Windows, by its exact name. */
#include "memory/section_windows.h"

#include "memory/names_windows.h"
#include "memory/security_windows.h"

static PyTypeObject *section_type;

typedef struct {
    PyObject_HEAD
    HANDLE handle;
    bool created; /* by us, just now */
} Section;

static PyObject *section_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *words[] = {"name", "size", "security", "file", "writable", "large", NULL};
    PyObject *name, *sddl = NULL;
    unsigned long long size = 0;
    Py_ssize_t file = -1;
    int writable = 1, large = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|KUnpp:Section", words, &name, &size, &sddl, &file, &writable,
                                     &large))
        return NULL;
    if (large)
        size = os_large_pages(size);
    names_object names;
    if (!names_from(name, sddl, &names))
        return NULL;
    HANDLE handle;
    DWORD error;
    Py_BEGIN_ALLOW_THREADS /* a large one is committed now, in memory or on the disk */
    /* Opened first, since to make what exists asks for more rights; and without the right to learn its owner, where
     * only that is missing. */
    DWORD access = FILE_MAP_READ | (writable ? FILE_MAP_WRITE : 0);
    handle = *names.name ? OpenFileMappingW(access | READ_CONTROL, FALSE, names.name) : NULL;
    if (!handle && *names.name && GetLastError() == ERROR_ACCESS_DENIED)
        handle = OpenFileMappingW(access, FALSE, names.name);
    error = handle ? ERROR_ALREADY_EXISTS : GetLastError();
    if (!handle && (size || file != -1) && (!*names.name || error == ERROR_FILE_NOT_FOUND)) {
        DWORD pages = (writable ? PAGE_READWRITE : PAGE_READONLY) | (large ? SEC_COMMIT | SEC_LARGE_PAGES : 0);
        handle = CreateFileMappingW((HANDLE)file, &names.attributes, pages, (DWORD)(size >> 32), (DWORD)size,
                                    *names.name ? names.name : NULL);
        error = GetLastError();
    }
    Py_END_ALLOW_THREADS
    names_free(&names);
    if (!handle)
        return PyErr_SetFromWindowsErr((int)error);
    Section *self = PyObject_New(Section, section_type);
    if (!self) {
        CloseHandle(handle);
        return NULL;
    }
    self->handle = handle;
    self->created = error != ERROR_ALREADY_EXISTS;
    return (PyObject *)self;
}

static void section_dealloc(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    Section *self = (Section *)object;
    if (self->handle)
        CloseHandle(self->handle);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *section_close(PyObject *object, PyObject *unused) {
    (void)unused;
    Section *self = (Section *)object;
    HANDLE handle = self->handle;
    self->handle = NULL;
    if (handle)
        CloseHandle(handle);
    Py_RETURN_NONE;
}

static PyObject *get_handle(PyObject *object, void *unused) {
    (void)unused;
    return PyLong_FromSsize_t((Py_ssize_t)((Section *)object)->handle);
}

static PyObject *get_created(PyObject *object, void *unused) {
    (void)unused;
    return PyBool_FromLong(((Section *)object)->created);
}

static PyObject *get_owner(PyObject *object, void *unused) {
    (void)unused;
    DWORD size = 0;
    HANDLE handle = ((Section *)object)->handle;
    GetKernelObjectSecurity(handle, OWNER_SECURITY_INFORMATION, NULL, 0, &size);
    PSECURITY_DESCRIPTOR descriptor = size ? PyMem_Malloc(size) : NULL;
    PSID owner;
    BOOL defaulted;
    PyObject *result = descriptor &&
                               GetKernelObjectSecurity(handle, OWNER_SECURITY_INFORMATION, descriptor, size, &size) &&
                               GetSecurityDescriptorOwner(descriptor, &owner, &defaulted) && owner
                           ? security_text(owner)
                           : native_system_error();
    PyMem_Free(descriptor);
    return result;
}

static PyMethodDef section_methods[] = {
    {"close", section_close, METH_NOARGS, "Close it; the second time does nothing."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef section_getset[] = {
    {"handle", get_handle, NULL, "The system's handle, as a number.", NULL},
    {"created", get_created, NULL, "True if nobody had it open before.", NULL},
    {"owner", get_owner, NULL, "The owner's security identifier, as text.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot section_slots[] = {
    {Py_tp_doc, "A section: shared memory of the paging file or of a file, as long as somebody has it open."},
    {Py_tp_new, section_create},
    {Py_tp_dealloc, section_dealloc},
    {Py_tp_methods, section_methods},
    {Py_tp_getset, section_getset},
    {0, NULL},
};

static PyType_Spec section_spec = {"typedshm._native.Section", sizeof(Section), 0, Py_TPFLAGS_DEFAULT, section_slots};

int section_register(PyObject *module) {
    section_type = (PyTypeObject *)PyType_FromSpec(&section_spec);
    return section_type ? PyModule_AddObjectRef(module, "Section", (PyObject *)section_type) : -1;
}
