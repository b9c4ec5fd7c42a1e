"""Four workers share the jobs of one region; one of them is killed with a job in hand, which another then does.

    python examples/shared_work.py

The workers are a group: each version is handed to one of them. With redeliver=True what a dead one had is handed out
again, before anything new. The results are rows of a table, so that no worker waits for another; and a job that was
half done is done over in the same row.
"""

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess

import numpy as np

import typedshm
from typedshm import Struct, Table, Topic, rows, u8, u32

WORKERS, JOBS = 4, 200


class Job(Struct):
    """Something to do."""

    number: u32
    limit: u32


class Result(Struct):
    """What has become of a job."""

    begun: u8 = 0  # how often
    worker: u8 = 0  # who began it last
    primes: u32 = 0  # 0 until it is done


WORK = Topic("work", Job, lossless=True, slots=16)
RESULTS = Topic("results", rows(Result, JOBS))


def primes_below(limit: int) -> int:
    """Count them in the slowest way."""
    return sum(all(number % divisor for divisor in range(2, number)) for number in range(2, limit))


def work(worker: int) -> None:
    """Do jobs until whoever sends them has left."""
    with WORK.attach(timeout=10) as jobs, RESULTS.attach(timeout=10) as results:
        try:
            for job in jobs.follow(group="workers", redeliver=True, until_gone=True):
                with results.update(job.number) as result:
                    result.begun += 1
                    result.worker = worker
                primes = primes_below(job.limit)
                with results.update(job.number) as result:
                    result.primes = primes
        except typedshm.PublisherGone:
            pass


def kill_one_in_the_middle(results: "Table[Result]", workers: Sequence[BaseProcess]) -> int:
    """Kill a worker that has begun a job and not done it; returns which."""
    while True:
        state = results[:]
        for worker in state["worker"][(state["begun"] > 0) & (state["primes"] == 0)].tolist():
            workers[worker].kill()
            workers[worker].join()
            return int(worker)


def main() -> None:
    spawn = multiprocessing.get_context("spawn")
    with RESULTS.create() as results:
        results[:] = Result()
        with WORK.create() as jobs:
            # from now on there is such a group, and jobs wait for it
            jobs.follow(group="workers", redeliver=True, keep=60).close()
            workers = [spawn.Process(target=work, args=(worker,)) for worker in range(WORKERS)]
            for process in workers:
                process.start()
            for number in range(JOBS):
                jobs.write(Job(number=number, limit=800 + number), timeout=60)
                if number == JOBS // 2:
                    victim = kill_one_in_the_middle(results, workers)
            while not (state := results[:])["primes"].all():
                time.sleep(0.001)
        for process in workers:
            process.join()
    assert (state["primes"] == [primes_below(800 + number) for number in range(JOBS)]).all()
    for worker, count in enumerate(np.bincount(state["worker"], minlength=WORKERS)):
        print(f"worker {worker} did {count} jobs" + (" until it was killed" if worker == victim else ""))
    again = np.flatnonzero(state["begun"] > 1)
    print(f"All {JOBS} jobs are done; handed out a second time: {len(again)}, as a killed worker had it.")
    print(f"Regions left behind: {len(typedshm.regions())}.")


if __name__ == "__main__":
    main()
