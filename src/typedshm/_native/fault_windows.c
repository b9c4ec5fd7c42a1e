/* Work on a file's memory that survives a disk that fails: Windows reports it by an exception at the instruction that
 * touched the page.
 *
 * A handler that is asked before all others sends the thread back to where the work began. Frame-based handlers would
 * do as well, but are not to be had from every compiler, and faulthandler would print a report first. */
#include "os_windows.h"

typedef struct {
#if defined(__i386__)
    void *resume[5];
#else
    CONTEXT resume;
#endif
    uintptr_t memory;
    size_t size;
    volatile bool armed, failed;
} Guarded;

static _Thread_local Guarded current;

static LONG CALLBACK on_exception(EXCEPTION_POINTERS *pointers) {
    const EXCEPTION_RECORD *record = pointers->ExceptionRecord;
    /* a file on a disk or a share that is gone reports the one, a file cut short under Wine the other */
    bool fault =
        record->ExceptionCode == EXCEPTION_IN_PAGE_ERROR || record->ExceptionCode == EXCEPTION_ACCESS_VIOLATION;
    if (!fault || record->NumberParameters < 2)
        return EXCEPTION_CONTINUE_SEARCH; /* before we touch storage that a thread at its end may no longer have */
    if (!current.armed || record->ExceptionInformation[1] - current.memory >= current.size)
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

bool os_guarded(void (*work)(void *context), void *context, const void *memory, size_t size) {
    static INIT_ONCE installed = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&installed, install, NULL, NULL);
    Guarded *mine = &current;
    mine->memory = (uintptr_t)memory;
    mine->size = size;
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
    work(context);
    mine->armed = false;
    return true;
}
