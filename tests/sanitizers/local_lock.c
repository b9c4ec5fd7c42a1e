/* The local lock, which admits one thread of a process at a time to the shared one, under ThreadSanitizer. The test
 * puts the functions of writers_lock.c before this. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static WritersLock shared;
static unsigned long turns, each; /* `turns` is plain, and touched by those who have passed only */

static void *thread(void *unused) {
    for (unsigned long i = 0; i < each; i++) {
        while (!local_lock_try(&shared) && !local_lock_wait(&shared, 1000000))
            ;
        turns++;
        local_lock_free(&shared);
    }
    return unused;
}

int main(int given, char **arguments) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    each = given > 1 ? strtoul(arguments[1], NULL, 10) : 0;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, thread, NULL))
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%lu turns\n", turns);
    return turns != THREADS * each;
}
