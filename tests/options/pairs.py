"""Runs tests two at a time: most of them wait for timers."""

import multiprocessing

from harness import runner

WORKERS = 2


def run_in_pairs(chosen):
    """The results of the chosen tests, which some processes take one by one."""
    forks = multiprocessing.get_context("fork")
    place, results = forks.Value("i", 0), forks.SimpleQueue()
    workers = [forks.Process(target=work, args=(chosen, place, results)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = []
    while not results.empty():
        found.append(results.get())
    # A worker that ended in the middle has lost its test.
    return found + [False] * (len(chosen) - len(found))


def work(chosen, place, results):
    """Takes tests until none is left."""
    while True:
        with place.get_lock():
            index = place.value
            place.value += 1
        if index >= len(chosen):
            return
        name, function, timeout, _ = chosen[index]
        results.put(runner.run_one(name, function, timeout))
