/* A program that shares memory by the rule of winmmf 0.6, a crate of Rust: 4 bytes of lock word, then the payload.
 * High byte 0xFF: not initialised; bit 31: a writer is in; low 24 bits: how many readers are. Written from these facts.
 *
 *   winmmf NAME WORDS    makes the section, not initialised, says "made", and then obeys lines of its input:
 *     init               initialise the word
 *     lock, unlock       be a writer; be none
 *     enter, leave       be a reader; be none
 *     write N            as a writer, make every word of the payload N
 *     storm N            write 1, 2, 3 … until the next line comes, with N ms between
 *     read N             as a reader, look N times, with a ms between
 *     look               do nothing
 *     die                end on the spot
 * It answers each with a number: of torn values if it read, else what the word was before. */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define UNINITIALISED 0xFF000000u
#define WRITER 0x80000000u
#define READERS 0x00FFFFFFu

static _Atomic uint32_t *word;
static volatile uint32_t *payload;
static size_t words;

/* Wait until none of `excluding` is in, and go in. Acquires what leave() of whoever was in before has released. */
static void enter(uint32_t excluding, uint32_t change) {
    for (;; Sleep(0)) {
        uint32_t found = atomic_load_explicit(word, memory_order_relaxed);
        if (found < UNINITIALISED && !(found & excluding) &&
            atomic_compare_exchange_weak_explicit(word, &found, found + change, memory_order_acquire,
                                                  memory_order_relaxed))
            return;
    }
}

static void leave(uint32_t change) {
    atomic_fetch_sub_explicit(word, change, memory_order_release); /* with the acquire of enter() */
}

static void write_all(uint32_t value) {
    enter(WRITER | READERS, WRITER);
    for (size_t i = 0; i < words; i++)
        payload[i] = value;
    leave(WRITER);
}

static int is_torn(void) {
    int torn = 0;
    enter(WRITER, 1);
    for (size_t i = 1; i < words; i++)
        torn |= payload[i] != payload[0];
    leave(1);
    return torn;
}

static DWORD pending(void) {
    DWORD bytes = 0;
    return !PeekNamedPipe(GetStdHandle(STD_INPUT_HANDLE), NULL, 0, NULL, &bytes, NULL) || bytes;
}

int main(int count, char **arguments) {
    char verb[16];
    uint32_t number;
    words = count > 2 ? strtoul(arguments[2], NULL, 10) : 0;
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, (DWORD)(4 + 4 * words),
                                        count > 1 ? arguments[1] : NULL);
    if (!words || !section || !(word = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0)))
        return 2;
    payload = (volatile uint32_t *)word + 1;
    atomic_store(word, UNINITIALISED);
    for (puts("made"); fflush(stdout), scanf("%15s %u", verb, &number) == 2;) {
        uint32_t answer = atomic_load(word);
        if (!strcmp(verb, "init"))
            atomic_store(word, 0);
        else if (!strcmp(verb, "lock"))
            enter(WRITER | READERS, WRITER);
        else if (!strcmp(verb, "enter"))
            enter(WRITER, 1);
        else if (!strcmp(verb, "unlock") || !strcmp(verb, "leave"))
            leave(*verb == 'u' ? WRITER : 1);
        else if (!strcmp(verb, "write"))
            write_all(number);
        else if (!strcmp(verb, "storm"))
            for (uint32_t i = 1; !pending(); Sleep(number))
                write_all(i++);
        else if (!strcmp(verb, "read"))
            for (answer = 0; number > 0; number--, Sleep(1))
                answer += is_torn();
        else if (!strcmp(verb, "die"))
            TerminateProcess(GetCurrentProcess(), 9);
        printf("%08x\n", answer);
    }
    return 0;
}
