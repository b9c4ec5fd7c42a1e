/* The names of sections that exist, as the kernel's object directory lists them. */
#include "memory/directory_windows.h"

#include "os/windows.h"

#include <winternl.h>

struct entry {
    UNICODE_STRING name, type;
};

typedef NTSTATUS(NTAPI *open_function)(HANDLE *directory, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes);
typedef NTSTATUS(NTAPI *query_function)(HANDLE directory, void *buffer, ULONG size, BOOLEAN one, BOOLEAN restart,
                                        ULONG *context, ULONG *returned);

enum { DIRECTORY_QUERY_RIGHT = 1, MORE_ENTRIES = 0x105 };

/* Where Local\ and Global\ lead for a process of this session. */
static void directory_path(wchar_t *path, bool machine) {
    DWORD session = 0;
    ProcessIdToSessionId(GetCurrentProcessId(), &session);
    wcscpy(path, L"\\BaseNamedObjects");
    if (machine || session == 0)
        return;
    wchar_t digits[12], *digit = digits + 11;
    *digit = 0;
    for (; session; session /= 10)
        *--digit = (wchar_t)(L'0' + session % 10);
    wcscpy(path, L"\\Sessions\\");
    wcscat(path, digit);
    wcscat(path, L"\\BaseNamedObjects");
}

static bool append_section(PyObject *list, const struct entry *entry) {
    static const wchar_t kind[] = L"Section";
    if (entry->type.Length != sizeof kind - sizeof *kind || memcmp(entry->type.Buffer, kind, entry->type.Length) != 0)
        return true;
    PyObject *name = PyUnicode_FromWideChar(entry->name.Buffer, entry->name.Length / (Py_ssize_t)sizeof(wchar_t));
    bool done = name && PyList_Append(list, name) == 0;
    Py_XDECREF(name);
    return done;
}

static PyObject *object_names(PyObject *module, PyObject *machine) {
    (void)module;
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    open_function open = (open_function)(void (*)(void))GetProcAddress(ntdll, "NtOpenDirectoryObject");
    query_function query = (query_function)(void (*)(void))GetProcAddress(ntdll, "NtQueryDirectoryObject");
    wchar_t path[64];
    directory_path(path, PyObject_IsTrue(machine) == 1);
    UNICODE_STRING name = {(USHORT)(wcslen(path) * sizeof(wchar_t)), (USHORT)sizeof path, path};
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
    HANDLE directory;
    if (!open || !query || open(&directory, DIRECTORY_QUERY_RIGHT, &attributes) < 0) {
        PyErr_SetString(PyExc_OSError, "the directory of named objects cannot be opened");
        return NULL;
    }
    PyObject *list = PyList_New(0);
    ULONG context = 0, returned;
    union {
        struct entry entry;
        unsigned char room[sizeof(struct entry) + 2 * 0x10000]; /* one entry: two strings of at most 64 KiB */
    } *buffer = PyMem_Malloc(sizeof *buffer);
    while (list && buffer && query(directory, buffer, sizeof *buffer, TRUE, context == 0, &context, &returned) >= 0)
        if (!append_section(list, &buffer->entry))
            Py_CLEAR(list);
    PyMem_Free(buffer);
    CloseHandle(directory);
    return buffer || !list ? list : PyErr_NoMemory();
}

static PyMethodDef functions[] = {
    {"object_names", object_names, METH_O, "Names of all sections, of this session or of the whole machine."},
    {NULL, NULL, 0, NULL},
};

int directory_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
