/* Files that can be renamed and deleted while they are open. */
#include "memory/files.h"

#include "memory/names_windows.h"

/* os.open() would keep others from renaming and deleting the file. */
static PyObject *open_file(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *path, *sddl;
    int writable, create;
    names_object names;
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
    {"open_file", open_file, METH_VARARGS, "Open a file so that others may rename and delete it meanwhile."},
    {NULL, NULL, 0, NULL},
};

int files_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
