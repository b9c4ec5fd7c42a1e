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

static PyMethodDef functions[] = {
    {"current_user", current_user, METH_NOARGS, "The security identifier of this process's user."},
    {NULL, NULL, 0, NULL},
};

int security_register(PyObject *module) {
    return PyModule_AddFunctions(module, functions);
}
