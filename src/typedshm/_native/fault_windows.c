/* Copies that survive a disk that fails: Windows reports it by an exception at the instruction that touched the page.
 *
 * A handler that is asked before all others sends the thread back to where the copy began. Frame-based handlers would
 * do as well, but are not to be had from every compiler, and faulthandler would print a report first. */
#include "os_windows.h"

typedef struct {
#if defined(__i386__)
    void *resume[5];
#else
    CONTEXT resume;
#endif
    uintptr_t to, from;
    size_t size;
    volatile bool armed, failed;
} Copy;

static _Thread_local Copy current;

static bool concerns(const Copy *copy, const EXCEPTION_RECORD *record) {
    /* a file on a disk or a share that is gone reports the one, a file cut short under Wine the other */
    bool fault =
        record->ExceptionCode == EXCEPTION_IN_PAGE_ERROR || record->ExceptionCode == EXCEPTION_ACCESS_VIOLATION;
    if (!copy->armed || !fault || record->NumberParameters < 2)
        return false;
    uintptr_t address = record->ExceptionInformation[1];
    return address - copy->to < copy->size || address - copy->from < copy->size;
}

static LONG CALLBACK on_exception(EXCEPTION_POINTERS *pointers) {
    if (!concerns(&current, pointers->ExceptionRecord))
        return EXCEPTION_CONTINUE_SEARCH;
    current.armed = false;
    current.failed = true;
#if defined(__i386__)
    __builtin_longjmp(current.resume, 1); /* there RtlCaptureContext tells of our caller's frame instead of ours */
#else
    *pointers->ContextRecord = current.resume;
    return EXCEPTION_CONTINUE_EXECUTION;
#endif
}

static BOOL CALLBACK install(PINIT_ONCE once, void *parameter, void **context) {
    (void)once, (void)parameter, (void)context;
    return AddVectoredExceptionHandler(1, on_exception) != NULL;
}

bool os_guarded_copy(os_copy copy, void *to, const void *from, size_t size) {
    static INIT_ONCE installed = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&installed, install, NULL, NULL);
    Copy *mine = &current;
    mine->to = (uintptr_t)to;
    mine->from = (uintptr_t)from;
    mine->size = size + 8; /* a value's last word is copied whole */
    mine->failed = false;
#if defined(__i386__)
    if (__builtin_setjmp(mine->resume))
        return false;
#else
    RtlCaptureContext(&mine->resume); /* after a fault the thread comes back out of here */
    if (mine->failed)
        return false;
#endif
    mine->armed = true;
    copy(to, from, size);
    mine->armed = false;
    return true;
}
