#include "memory/security_windows.h"

#include <sddl.h>

bool security_from(const wchar_t *sddl, PSECURITY_DESCRIPTOR *security) {
    *security = NULL;
    if (!*sddl || ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, SDDL_REVISION_1, security, NULL))
        return true;
    native_system_error();
    return false;
}

PyObject *security_text(PSID sid) {
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
                           ? security_text(answer.user.User.Sid)
                           : native_system_error();
    CloseHandle(token);
    return result;
}

/* Most of a process's privileges are there, but not in force until it asks. This one stays in force: it concerns
 * nothing but pages, and threads share it. */
static DWORD enable(const wchar_t *privilege) {
    HANDLE token;
    TOKEN_PRIVILEGES wanted = {.PrivilegeCount = 1, .Privileges = {{.Attributes = SE_PRIVILEGE_ENABLED}}};
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY | TOKEN_ADJUST_PRIVILEGES, &token))
        return GetLastError();
    if (LookupPrivilegeValueW(NULL, privilege, &wanted.Privileges[0].Luid))
        AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL);
    DWORD error = GetLastError(); /* also where that succeeds: ERROR_NOT_ALL_ASSIGNED if the token has no such one */
    CloseHandle(token);
    return error;
}

static PyObject *allow_large_pages(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    DWORD error = enable(L"SeLockMemoryPrivilege");
    if (error)
        return PyErr_SetFromWindowsErr((int)error);
    Py_RETURN_NONE;
}

static PyObject *large_page_size(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromSize_t(GetLargePageMinimum());
}

static PyMethodDef functions[] = {
    {"current_user", current_user, METH_NOARGS, "The security identifier of this process's user."},
    {"allow_large_pages", allow_large_pages, METH_NOARGS, "Enable the privilege that they take."},
    {"large_page_size", large_page_size, METH_NOARGS, "Bytes of a large page; 0 if there are none."},
    {NULL, NULL, 0, NULL},
};

int security_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
