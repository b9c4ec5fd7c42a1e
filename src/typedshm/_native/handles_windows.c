/* What Python needs of Windows: sections, files that can be deleted while they are open, and who we are. */
#include "handles_windows.h"

#include <sddl.h>

/* ---- strings and security --------------------------------------------------------------------- */

/* The descriptor that SDDL text stands for; NULL for "", which is Windows' default. False and an error set. */
static bool security_from(const wchar_t *sddl, PSECURITY_DESCRIPTOR *security) {
    *security = NULL;
    if (!*sddl || ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, security, NULL))
        return true;
    native_system_error();
    return false;
}

bool names_from(PyObject *name, PyObject *sddl, Names *names) {
    names->name = PyUnicode_AsWideCharString(name, NULL); /* refuses NULs */
    names->attributes.lpSecurityDescriptor = NULL;
    wchar_t *text = names->name && sddl ? PyUnicode_AsWideCharString(sddl, NULL) : NULL;
    bool done = names->name && (!sddl || (text && security_from(text, &names->attributes.lpSecurityDescriptor)));
    PyMem_Free(text);
    names->attributes.nLength = sizeof names->attributes;
    names->attributes.bInheritHandle = FALSE;
    if (!done) {
        PyMem_Free(names->name);
        names->name = NULL;
    }
    return done;
}

void names_free(Names *names) {
    PyMem_Free(names->name);
    LocalFree(names->attributes.lpSecurityDescriptor);
}

static PyObject *text_of_sid(PSID sid) {
    wchar_t *text;
    if (!ConvertSidToStringSidW(sid, &text))
        return native_system_error();
    PyObject *result = PyUnicode_FromWideChar(text, -1);
    LocalFree(text);
    return result;
}

static PyObject *current_user(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    HANDLE token;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return native_system_error();
    union {
        TOKEN_USER user;
        unsigned char room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } answer;
    DWORD size;
    PyObject *result = GetTokenInformation(token, TokenUser, &answer, sizeof answer, &size)
                           ? text_of_sid(answer.user.User.Sid)
                           : native_system_error();
    CloseHandle(token);
    return result;
}

/* ---- participants ------------------------------------------------------------------------------ */

int peers_open(os_peers *peers, PyObject *handle) {
    PyObject *prefix, *sddl;
    Names names;
    Py_ssize_t file;
    if (!PyArg_ParseTuple(handle, "UUn:handle", &prefix, &sddl, &file) || !names_from(prefix, sddl, &names))
        return -1;
    size_t length = wcslen(names.name);
    if (length >= sizeof peers->prefix / sizeof *peers->prefix) {
        PyErr_SetString(PyExc_ValueError, "the region's name is too long");
        names_free(&names);
        return -1;
    }
    memcpy(peers->prefix, names.name, (length + 1) * sizeof *names.name);
    peers->security = names.attributes.lpSecurityDescriptor;
    peers->presence = NULL;
    peers->file = (HANDLE)file;
    names.attributes.lpSecurityDescriptor = NULL;
    names_free(&names);
    return 0;
}

void peers_leave(os_peers *peers) {
    if (peers->presence)
        CloseHandle(peers->presence);
    peers->presence = NULL;
    peers->file = NULL; /* its owner closes it, and with that frees the presence entry */
}

void peers_close(os_peers *peers) {
    peers_leave(peers);
    os_peers_free(peers);
    LocalFree(peers->security);
    peers->security = NULL;
}

/* ---- Section ------------------------------------------------------------------------------------- */

static PyTypeObject *section_type;

typedef struct {
    PyObject_HEAD
    HANDLE handle;
    bool created; /* by us, just now */
} Section;

static PyObject *section_create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    (void)type;
    static char *words[] = {"name", "size", "security", "file", "writable", NULL};
    PyObject *name, *sddl = NULL;
    unsigned long long size = 0;
    Py_ssize_t file = -1;
    int writable = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|KUnp:Section", words, &name, &size, &sddl, &file, &writable))
        return NULL;
    Names names;
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
        handle = CreateFileMappingW((HANDLE)file, &names.attributes, writable ? PAGE_READWRITE : PAGE_READONLY,
                                    (DWORD)(size >> 32), (DWORD)size, *names.name ? names.name : NULL);
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
                           ? text_of_sid(owner)
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

/* ---- files --------------------------------------------------------------------------------------- */

/* os.open() would keep others from renaming and deleting the file. */
static PyObject *open_file(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *path, *sddl;
    int writable, create;
    Names names;
    if (!PyArg_ParseTuple(args, "UppU:open_file", &path, &writable, &create, &sddl) || !names_from(path, sddl, &names))
        return NULL;
    HANDLE handle;
    DWORD error;
    Py_BEGIN_ALLOW_THREADS
    handle = CreateFileW(names.name, GENERIC_READ | (writable ? GENERIC_WRITE : 0),
                         FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &names.attributes,
                         create ? CREATE_NEW : OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    error = GetLastError();
    Py_END_ALLOW_THREADS
    names_free(&names);
    if (handle == INVALID_HANDLE_VALUE)
        return PyErr_SetFromWindowsErr((int)error);
    return PyLong_FromSsize_t((Py_ssize_t)handle);
}

/* A volume's serial number and the file's index on it, always by this one call: others use wider numbers. */
static PyObject *file_identity(PyObject *module, PyObject *number) {
    (void)module;
    Py_ssize_t handle = PyLong_AsSsize_t(number);
    BY_HANDLE_FILE_INFORMATION found;
    if (handle == -1 && PyErr_Occurred())
        return NULL;
    if (!GetFileInformationByHandle((HANDLE)handle, &found))
        return native_system_error();
    unsigned long long index = (unsigned long long)found.nFileIndexHigh << 32 | found.nFileIndexLow;
    return Py_BuildValue("kK", (unsigned long)found.dwVolumeSerialNumber, index);
}

static PyMethodDef functions[] = {
    {"file_identity", file_identity, METH_O, "The volume's serial number and the file's index on it."},
    {"current_user", current_user, METH_NOARGS, "The security identifier of this process's user."},
    {"open_file", open_file, METH_VARARGS, "Open a file so that others may rename and delete it meanwhile."},
    {NULL, NULL, 0, NULL},
};

int handles_add(PyObject *module) {
    section_type = (PyTypeObject *)PyType_FromSpec(&section_spec);
    if (!section_type || PyModule_AddObjectRef(module, "Section", (PyObject *)section_type) < 0 ||
        PyModule_AddFunctions(module, functions) < 0)
        return -1;
    return objects_add(module) < 0 || kernel_mutex_add(module) < 0 ? -1 : 0;
}
