#include "os/pollable.h"
#include "os/windows.h"

bool pollable_make(pollable *made) {
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL); /* it stays set until it is cleared */
    made->waited = made->written = (intptr_t)event;
    return event != NULL;
}

void pollable_set(const pollable *set) {
    SetEvent((HANDLE)set->written);
}

void pollable_clear(const pollable *cleared) {
    ResetEvent((HANDLE)cleared->waited);
}

void pollable_close(pollable *closed) {
    CloseHandle((HANDLE)closed->waited);
}
