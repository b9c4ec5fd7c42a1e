/* The operating system, for Windows: time, participants, sleep.
 *
 * A participant of a region in a file lives as long as the lock on its byte, as on POSIX systems: so the file's own
 * list of rights says who can stand in others' way. Elsewhere a participant lives as long as a named object of its own
 * exists: the kernel closes a process's handles when its last thread has ended, however it ends, and an object ends
 * with its last handle. A mutex would tell of the death of threads only, and could be given back by none but the thread
 * that took it; but a region's handle is used by every thread of its process.
 *
 * WaitOnAddress works inside a process only. Between processes every sleeper has an event (see tshm_sleepers), since
 * an event shared by several sleepers loses wake-ups or wakes the wrong one. */
#include "os/windows.h"

#include "os/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <wchar.h>

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 2 /* which older headers lack */
#endif

static const uint64_t POLL_SLICE = 2000000; /* ns between looks at a word, for those whom nobody wakes */

/* ---- time ----------------------------------------------------------------------------------- */

uint64_t os_monotonic_ns(void) {
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    uint64_t ticks = (uint64_t)now.QuadPart, second = (uint64_t)frequency.QuadPart;
    return ticks / second * 1000000000u + ticks % second * 1000000000u / second;
}

uint64_t os_realtime_ns(void) {
    FILETIME now;
    GetSystemTimePreciseAsFileTime(&now);
    uint64_t since_1601 = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime; /* in 100 ns */
    return (since_1601 - 116444736000000000u) * 100;
}

uint64_t os_coarse_ns(void) {
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    uint64_t since_1601 = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime; /* in 100 ns */
    return (since_1601 - 116444736000000000u) * 100;
}

void os_relax(void) {
    YieldProcessor();
}

uint32_t os_forks;

uint32_t os_process_id(void) {
    return GetCurrentProcessId();
}

uint64_t os_process_started(void) {
    FILETIME started, exited, kernel, user;
    if (!GetProcessTimes(GetCurrentProcess(), &started, &exited, &kernel, &user))
        return 0;
    return (uint64_t)started.dwHighDateTime << 32 | started.dwLowDateTime;
}

static DWORD milliseconds(uint64_t ns) {
    uint64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    return ms < INFINITE ? (DWORD)ms : INFINITE - 1;
}

/* A timer of its own, since Sleep() may last 16 ms too long. */
static void sleep_for(uint64_t ns) {
    HANDLE timer = CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
    LARGE_INTEGER due;
    due.QuadPart = -(LONGLONG)(ns / 100 + 1); /* negative: from now on, in 100 ns */
    if (timer && SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE))
        WaitForSingleObject(timer, milliseconds(ns) + 1);
    else
        Sleep(milliseconds(ns));
    if (timer)
        CloseHandle(timer);
}

/* ---- sleeping on a word of this process ------------------------------------------------------ */

/* Found at run time: the library to link with has another name for every compiler. */
static BOOL(WINAPI *wait_on_address)(volatile void *word, void *expected, SIZE_T size, DWORD ms);
static void(WINAPI *wake_by_address_single)(void *word);

static BOOL CALLBACK find_local_wait(PINIT_ONCE once, void *parameter, void **context) {
    (void)once, (void)parameter, (void)context;
    HMODULE library = GetModuleHandleW(L"kernelbase.dll");
    if (library) {
        wait_on_address = (void *)GetProcAddress(library, "WaitOnAddress");
        wake_by_address_single = (void *)GetProcAddress(library, "WakeByAddressSingle");
    }
    return TRUE;
}

static bool has_local_wait(void) {
    static INIT_ONCE looked = INIT_ONCE_STATIC_INIT;
    InitOnceExecuteOnce(&looked, find_local_wait, NULL, NULL);
    return wait_on_address && wake_by_address_single;
}

void os_local_wait(void *word, uint32_t expected, uint64_t ns) {
    if (has_local_wait())
        wait_on_address(word, &expected, sizeof expected, milliseconds(ns));
    else
        sleep_for(ns < POLL_SLICE ? ns : POLL_SLICE);
}

void os_local_wake_one(void *word) {
    if (has_local_wait())
        wake_by_address_single(word);
}

/* ---- participants ---------------------------------------------------------------------------- */

void os_object_name(wchar_t *name, const os_peers *peers, const wchar_t *kind, uint32_t number) {
    wchar_t digits[12], *digit = digits + 11;
    *digit = 0;
    do
        *--digit = (wchar_t)(L'0' + number % 10);
    while ((number /= 10) != 0);
    wcscpy(name, peers->prefix);
    wcscat(name, kind);
    wcscat(name, digit);
}

/* An event that no other process has open, or NULL and the reason in *error: ERROR_ALREADY_EXISTS if one has. */
static HANDLE own_event(const os_peers *peers, const wchar_t *kind, uint32_t number, DWORD *error) {
    wchar_t name[OS_NAME_MAX];
    os_object_name(name, peers, kind, number);
    SECURITY_ATTRIBUTES attributes = {sizeof attributes, peers->security, FALSE};
    HANDLE event = CreateEventW(&attributes, FALSE, FALSE, name); /* resets itself; nobody is to be woken yet */
    *error = GetLastError();
    if (event && *error != ERROR_ALREADY_EXISTS)
        return event;
    if (event)
        CloseHandle(event);
    else if (*error == ERROR_ACCESS_DENIED || *error == ERROR_INVALID_HANDLE)
        *error = ERROR_ALREADY_EXISTS; /* another user's, or an object of another kind */
    return NULL;
}

bool os_mark_of(intptr_t handle, os_mark *mark) {
    LARGE_INTEGER nowhere = {0}, position;
    if (!SetFilePointerEx((HANDLE)handle, nowhere, &position, FILE_CURRENT))
        return false;
    *mark = (os_mark){.position = position.QuadPart};
    return true;
}

bool os_is_marked(intptr_t handle, const os_mark *mark) {
    os_mark found;
    return os_mark_of(handle, &found) && found.position == mark->position;
}

int os_peers_claim(os_peers *peers, uint32_t entry) {
    if (peers->file) {
        int result = os_byte_lock((intptr_t)peers->file, TSHM_PRESENCE_BYTE + entry, OS_BYTE_EXCLUSIVE);
        return result == 0 && !os_mark_of((intptr_t)peers->file, &peers->mark) ? -EBADF : result;
    }
    DWORD error;
    peers->presence = own_event(peers, L"!p", entry, &error);
    return peers->presence ? 0 : error == ERROR_ALREADY_EXISTS ? 1 : -ENOMEM;
}

int os_peers_alive(const os_peers *peers, uint32_t entry) {
    if (peers->file)
        return os_byte_held((intptr_t)peers->file, TSHM_PRESENCE_BYTE + entry);
    wchar_t name[OS_NAME_MAX];
    os_object_name(name, peers, L"!p", entry);
    HANDLE event = OpenEventW(SYNCHRONIZE, FALSE, name);
    if (event)
        CloseHandle(event);
    return event || GetLastError() != ERROR_FILE_NOT_FOUND;
}

bool os_peers_intact(const os_peers *peers) {
    return !peers->file || os_is_marked((intptr_t)peers->file, &peers->mark);
}

/* Locks belong to a handle, so that two handles in one process exclude each other; the bytes lie behind the file's end,
 * where nobody reads or writes. */

int os_byte_lock(intptr_t handle, uint64_t byte, enum os_byte_mode mode) {
    OVERLAPPED place = {0};
    place.Offset = (DWORD)byte;
    place.OffsetHigh = (DWORD)(byte >> 32);
    UnlockFileEx((HANDLE)handle, 0, 1, 0, &place); /* fails if there is none */
    DWORD how = LOCKFILE_FAIL_IMMEDIATELY | (mode == OS_BYTE_EXCLUSIVE ? LOCKFILE_EXCLUSIVE_LOCK : 0);
    if (mode == OS_BYTE_FREE || LockFileEx((HANDLE)handle, how, 0, 1, 0, &place))
        return 0;
    DWORD error = GetLastError();
    return error == ERROR_LOCK_VIOLATION || error == ERROR_IO_PENDING ? 1 : -EIO;
}

int os_byte_held(intptr_t handle, uint64_t byte) {
    int result = os_byte_lock(handle, byte, OS_BYTE_EXCLUSIVE);
    if (result == 0)
        os_byte_lock(handle, byte, OS_BYTE_FREE);
    return result;
}

/* ---- sleeping on a word of shared memory ------------------------------------------------------ */

/* An event for one sleeper at a time, with the number that it is known by. */
struct os_waiter_event {
    struct os_waiter_event *next;
    HANDLE handle;
    uint32_t number;
};

static tshm_sleepers *sleepers_of(tshm_control *control, const void *word) {
    if (word == (const void *)&control->head.word)
        return &control->waiting.sleepers;
    bool room = word == (const void *)&((tshm_lossless_control *)control)->room.word;
    return room ? &control->waiting.writers : &control->writer.sleepers;
}

static void clear_bit(tshm_sleepers *sleepers, uint32_t number) {
    atomic_fetch_and_explicit(&sleepers->bits[number / 64], ~(1ull << number % 64), memory_order_relaxed);
}

static struct os_waiter_event *new_event(const os_peers *peers, tshm_control *control) {
    struct os_waiter_event *event = malloc(sizeof *event);
    for (uint32_t number = 0; event && number < TSHM_PRESENCE_MAX; number++) {
        DWORD error;
        event->number = number;
        event->handle = own_event(peers, L"!w", number, &error);
        if (event->handle) { /* a sleeper that died may have had the number before us, and its wake-ups would be ours */
            clear_bit(&control->waiting.sleepers, number);
            clear_bit(&control->waiting.writers, number);
            clear_bit(&control->writer.sleepers, number);
            return event;
        }
        if (error != ERROR_ALREADY_EXISTS)
            break;
    }
    free(event);
    return NULL;
}

static struct os_waiter_event *take_event(os_peers *peers, tshm_control *control) {
    AcquireSRWLockExclusive((PSRWLOCK)&peers->events_lock);
    struct os_waiter_event *event = peers->events;
    if (event)
        peers->events = event->next;
    ReleaseSRWLockExclusive((PSRWLOCK)&peers->events_lock);
    return event ? event : new_event(peers, control);
}

static void give_event(os_peers *peers, struct os_waiter_event *event) {
    AcquireSRWLockExclusive((PSRWLOCK)&peers->events_lock);
    event->next = peers->events;
    peers->events = event;
    ReleaseSRWLockExclusive((PSRWLOCK)&peers->events_lock);
}

void os_peers_free(os_peers *peers) {
    while (peers->events) {
        struct os_waiter_event *event = peers->events;
        peers->events = event->next;
        CloseHandle(event->handle);
        free(event);
    }
}

void os_word_wait(os_peers *peers, tshm_control *control, void *word, uint32_t expected, uint64_t ns) {
    struct os_waiter_event *event = peers ? take_event(peers, control) : NULL;
    if (!event) {
        if (tshm_load((tshm_atomic_u32 *)word, relaxed) == expected)
            sleep_for(ns < POLL_SLICE ? ns : POLL_SLICE);
        return;
    }
    tshm_sleepers *sleepers = sleepers_of(control, word);
    atomic_fetch_or_explicit(&sleepers->bits[event->number / 64], 1ull << event->number % 64, memory_order_relaxed);
    tshm_fence(seq_cst); /* with the fence in wake(): it sees the bit, or we see its store to the word */
    if (tshm_load((tshm_atomic_u32 *)word, relaxed) == expected)
        WaitForSingleObject(event->handle, milliseconds(ns));
    clear_bit(sleepers, event->number);
    give_event(peers, event);
}

enum wake { WOKEN, GONE, NOT_OURS };

static enum wake set_event(const os_peers *peers, uint32_t number) {
    wchar_t name[OS_NAME_MAX];
    os_object_name(name, peers, L"!w", number);
    HANDLE event = OpenEventW(EVENT_MODIFY_STATE, FALSE, name);
    if (!event)
        return GetLastError() == ERROR_FILE_NOT_FOUND ? GONE : NOT_OURS;
    SetEvent(event);
    CloseHandle(event);
    return WOKEN;
}

static void wake(const os_peers *peers, tshm_sleepers *sleepers, bool all) {
    tshm_fence(seq_cst); /* with the fence in os_word_wait */
    for (uint32_t i = 0; i < sizeof sleepers->bits / sizeof *sleepers->bits; i++) {
        uint64_t word = tshm_load(&sleepers->bits[i], relaxed);
        for (uint32_t bit = 0; bit < 64 && word >> bit; bit++) {
            if (!(word >> bit & 1))
                continue;
            uint32_t number = i * 64 + bit;
            enum wake result = set_event(peers, number);
            if (result == GONE) { /* a dead sleeper's; or meanwhile, under the same number, that of a new one */
                clear_bit(sleepers, number);
                result = set_event(peers, number);
            }
            if (result == WOKEN && !all)
                return;
        }
    }
}

void os_word_wake_one(os_peers *peers, tshm_control *control, void *word) {
    bool shared = word != (void *)&control->writer.word; /* by all rows of a table: one may sleep on another of them */
    wake(peers, sleepers_of(control, word), shared);
}

void os_word_wake_all(os_peers *peers, tshm_control *control, void *word) {
    wake(peers, sleepers_of(control, word), true);
}

/* ---- sleeping on many words of shared memory ------------------------------------------------- */

enum { FIRST_WORD = 2 }; /* before it the waker, and the timer, which is finer than the time-out of the call */

uint32_t os_words_max(void) {
    return MAXIMUM_WAIT_OBJECTS - FIRST_WORD;
}

bool os_waker_make(os_waker *waker) {
    tshm_store(&waker->wakes, 0, relaxed);
    waker->event = CreateEventW(NULL, FALSE, FALSE, NULL); /* resets itself */
    waker->timer = CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
    if (waker->event && !waker->timer) /* before Windows 10 1803 */
        waker->timer = CreateWaitableTimerExW(NULL, NULL, 0, TIMER_ALL_ACCESS);
    if (waker->event && waker->timer)
        return true;
    os_waker_free(waker);
    return false;
}

void os_waker_free(os_waker *waker) {
    if (waker->event)
        CloseHandle(waker->event);
    if (waker->timer)
        CloseHandle(waker->timer);
    waker->event = waker->timer = NULL;
}

void os_waker_wake(os_waker *waker) {
    atomic_fetch_add_explicit(&waker->wakes, 1, memory_order_relaxed); /* the event keeps what nobody waits for yet */
    SetEvent(waker->event);
}

void os_words_wait(const os_word *words, uint32_t count, os_waker *waker, uint32_t wakes, uint64_t ns) {
    HANDLE handles[MAXIMUM_WAIT_OBJECTS] = {waker->event, waker->timer};
    struct os_waiter_event *events[MAXIMUM_WAIT_OBJECTS];
    uint32_t occupied = 0; /* events, which are the first words' */
    bool quiet = tshm_load(&waker->wakes, relaxed) == wakes;
    while (quiet && occupied < count) {
        const os_word *word = &words[occupied];
        struct os_waiter_event *event = take_event(word->peers, word->control);
        if (!event)
            break;
        events[occupied] = event;
        handles[FIRST_WORD + occupied++] = event->handle;
        atomic_fetch_or_explicit(&sleepers_of(word->control, word->word)->bits[event->number / 64],
                                 1ull << event->number % 64, memory_order_relaxed);
    }
    if (occupied < count && ns > POLL_SLICE)
        ns = POLL_SLICE; /* without an event of its own, a word wakes nobody */
    tshm_fence(seq_cst); /* with the fence in wake(): it sees the bits, or we see its store to the word */
    for (uint32_t i = 0; quiet && i < count; i++)
        quiet = tshm_load((tshm_atomic_u32 *)words[i].word, relaxed) == words[i].expected;
    if (quiet) {
        LARGE_INTEGER due;
        due.QuadPart = -(LONGLONG)(ns / 100 + 1); /* negative: from now on, in 100 ns */
        SetWaitableTimer(waker->timer, &due, 0, NULL, NULL, FALSE);
        WaitForMultipleObjects(FIRST_WORD + occupied, handles, FALSE, milliseconds(ns) + 1);
    }
    while (occupied--) {
        const os_word *word = &words[occupied];
        clear_bit(sleepers_of(word->control, word->word), events[occupied]->number);
        give_event(word->peers, events[occupied]);
    }
}

/* ---- memory ----------------------------------------------------------------------------------- */

uint64_t os_large_pages(uint64_t size) {
    uint64_t page = GetLargePageMinimum();
    return page ? (size + page - 1) / page * page : size;
}

/* A view of a section of large pages consists of whole ones, and only asked for by the flag does it have them; before
 * Windows 10 1703 the flag means nothing. A section of small pages has no such view. */
static void *view(HANDLE section, DWORD access, size_t size, bool large) {
    return large ? MapViewOfFile(section, access | FILE_MAP_LARGE_PAGES, 0, 0, (size_t)os_large_pages(size))
                 : MapViewOfFile(section, access, 0, 0, size);
}

static bool map(os_memory *memory, HANDLE section, size_t size) {
    MEMORY_BASIC_INFORMATION there;
    DWORD access = FILE_MAP_READ | (memory->writable ? FILE_MAP_WRITE : 0);
    memory->size = size;
    memory->start = view(section, access, size, memory->large);
    DWORD error = GetLastError();
    if (!memory->start) { /* by the other kind of pages, if it was about that */
        memory->large = !memory->large;
        memory->start = view(section, access, size, memory->large);
        SetLastError(memory->large ? error : GetLastError()); /* that of the view without the flag */
    }
    if (!memory->start || size)
        return memory->start;
    if (VirtualQuery(memory->start, &there, sizeof there) && there.State == MEM_COMMIT) {
        memory->size = there.RegionSize; /* whole pages */
        return true;
    }
    UnmapViewOfFile(memory->start);
    SetLastError(ERROR_INVALID_ADDRESS); /* pages that are only reserved, which cannot be touched */
    return false;
}

bool os_map(os_memory *memory, intptr_t handle, size_t size, bool writable, bool large) {
    memory->writable = writable;
    memory->large = large;
    tshm_store(&memory->lost, OS_THERE, relaxed);
    if (!map(memory, (HANDLE)handle, size))
        return false;
    if (!faults_add(memory)) {
        UnmapViewOfFile(memory->start);
        SetLastError(ERROR_NOT_ENOUGH_MEMORY);
        return false;
    }
    faults_watch();
    return true;
}

void os_unmap(os_memory *memory) {
    faults_remove(memory);
    if (tshm_load(&memory->lost, acquire) == OS_LOST) /* with the release of whoever covered it */
        VirtualFree(memory->start, 0, MEM_RELEASE);
    else
        UnmapViewOfFile(memory->start);
}

bool os_protect(os_memory *memory) {
    DWORD before;
    if (!VirtualProtect(memory->start, memory->size, PAGE_READONLY, &before))
        return false;
    memory->writable = false;
    return true;
}

bool os_populate(const os_memory *memory, bool write) {
    (void)memory, (void)write; /* PrefetchVirtualMemory() brings pages into memory, but does not map them */
    return false;
}

/* Windows locks no more pages than a process's least working set has room for, which is next to nothing unless asked
 * for: so for what is locked, and as much as it was before. */
bool os_mlock(const os_memory *memory) {
    SIZE_T least, most;
    HANDLE process = GetCurrentProcess();
    if (memory->large || VirtualLock(memory->start, memory->size))
        return true;
    if (GetLastError() != ERROR_WORKING_SET_QUOTA || !GetProcessWorkingSetSize(process, &least, &most))
        return false;
    SIZE_T room = memory->size + 65536; /* the tables of the pages themselves */
    return SetProcessWorkingSetSize(process, least + room, most + room) && VirtualLock(memory->start, memory->size);
}

/* Between the two calls another thread could be given these addresses for something else; there is no way to do it in
 * one. Then our pages do not come about, and the fault ends the process as it would have done without us. */
bool os_cover(os_memory *memory) {
    UnmapViewOfFile(memory->start);
    return VirtualAlloc(memory->start, memory->size, MEM_RESERVE | MEM_COMMIT,
                        memory->writable ? PAGE_READWRITE : PAGE_READONLY);
}

/* ---- what is missing ------------------------------------------------------------------------- */

uint32_t os_find_missing(os_missing *found) {
    uint32_t count = 0;
    found[count++] = (os_missing){"map pages ahead", 0};
    if (!has_local_wait())
        found[count++] = (os_missing){"wait for threads", 0};
    HANDLE timer = CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
    if (!timer)
        found[count++] = (os_missing){"fine timers", (int)GetLastError()};
    else
        CloseHandle(timer);
    return count;
}
