/* The allocator's door. Counters are atomic: any thread allocates. */
#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static _Atomic uint64_t calls_until_failure; /* 0: no fault is set */
static _Atomic int64_t n_live;

static bool must_fail(void)
{
    uint64_t left = atomic_load_explicit(&calls_until_failure, memory_order_relaxed);
    while (left != 0) {
        if (atomic_compare_exchange_weak(&calls_until_failure, &left, left - 1))
            return left == 1;
    }
    return false;
}

void *mem_alloc(size_t size)
{
    assert(size > 0);
    void *ptr = must_fail() ? NULL : malloc(size);
    if (ptr)
        atomic_fetch_add_explicit(&n_live, 1, memory_order_relaxed);
    return ptr;
}

void *mem_alloc_zero(size_t n, size_t size)
{
    assert(n > 0 && size > 0);
    void *ptr = must_fail() ? NULL : calloc(n, size); /* calloc checks the product */
    if (ptr)
        atomic_fetch_add_explicit(&n_live, 1, memory_order_relaxed);
    return ptr;
}

void *mem_resize(void *ptr, size_t size)
{
    assert(size > 0);
    void *moved = must_fail() ? NULL : realloc(ptr, size);
    if (moved && !ptr)
        atomic_fetch_add_explicit(&n_live, 1, memory_order_relaxed);
    return moved;
}

void mem_free(void *ptr)
{
    if (!ptr)
        return;
    atomic_fetch_sub_explicit(&n_live, 1, memory_order_relaxed);
    free(ptr);
}

void mem_fail_nth(uint64_t nth)
{
    atomic_store(&calls_until_failure, nth);
}

int64_t mem_n_live(void)
{
    return atomic_load_explicit(&n_live, memory_order_relaxed);
}
