/* Memory that goes away on Windows: touching it is an exception. Only files can; the paging file does not.
 *
 * A handler that is asked before all others covers the mapping and has the instruction done again. Frame-based handlers
 * would see the core's own copies only, and faulthandler would print a report first. */
#include "os/faults.h"

#include "os/windows.h"

static LONG CALLBACK on_exception(EXCEPTION_POINTERS *pointers) {
    const EXCEPTION_RECORD *record = pointers->ExceptionRecord;
    /* a file on a disk or a share that is gone reports the one, a file cut short under Wine the other */
    bool fault =
        record->ExceptionCode == EXCEPTION_IN_PAGE_ERROR || record->ExceptionCode == EXCEPTION_ACCESS_VIOLATION;
    if (!fault || record->NumberParameters < 2)
        return EXCEPTION_CONTINUE_SEARCH;
    bool write = record->ExceptionInformation[0] == 1 && record->ExceptionCode == EXCEPTION_ACCESS_VIOLATION;
    return faults_at(record->ExceptionInformation[1], write) ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

static BOOL CALLBACK install(PINIT_ONCE once, void *parameter, void **context) {
    (void)once, (void)parameter, (void)context;
    return AddVectoredExceptionHandler(1, on_exception) != NULL;
}

void faults_watch(void) {
    static INIT_ONCE installed = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&installed, install, NULL, NULL);
}
