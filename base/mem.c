/* The allocator's door. Counters are atomic: any thread allocates. */
#include "base/mem.h"

#include <assert.h>
#include <limits.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_BLOCK (8 << 20) /* what glibc asks the kernel for by itself */
#define LARGE_PAGE ((uintptr_t)2 << 20)

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

void *mem_resize_lines(void *ptr, size_t old_size, size_t size)
{
    assert(size > old_size);
    void *moved = must_fail() ? NULL : aligned_alloc(MEM_LINE, (size + MEM_LINE - 1) / MEM_LINE * MEM_LINE);
    if (!moved)
        return NULL;
    if (ptr)
        memcpy(moved, ptr, old_size);
    else
        atomic_fetch_add_explicit(&n_live, 1, memory_order_relaxed);
    free(ptr);
    return moved;
}

void mem_free(void *ptr)
{
    if (!ptr)
        return;
    atomic_fetch_sub_explicit(&n_live, 1, memory_order_relaxed);
    free(ptr);
}

void *mem_reserve(size_t size)
{
    assert(size > 0);
    void *ptr = must_fail() ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ptr == MAP_FAILED)
        return NULL;
    atomic_fetch_add_explicit(&n_live, 1, memory_order_relaxed);
    return ptr;
}

void mem_release(void *ptr, size_t size)
{
    if (!ptr)
        return;
    atomic_fetch_sub_explicit(&n_live, 1, memory_order_relaxed);
    (void)munmap(ptr, size);
}

void mem_advise_random(void *ptr, size_t size)
{
    uintptr_t first = ((uintptr_t)ptr + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE, last = ((uintptr_t)ptr + size) / LARGE_PAGE * LARGE_PAGE;
    if (first < last)
        (void)madvise((void *)first, last - first, MADV_HUGEPAGE); /* refused: as it was */
}

void mem_expect_random(size_t size)
{
#ifdef __GLIBC__
    /* The heap's end moves up by so much at once, and only what lies in it then gets large pages: so it is made to now. */
    if (mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK) == 0 || size > INT_MAX || mallopt(M_TOP_PAD, (int)size) == 0)
        return;
    char *first = malloc(LARGE_BLOCK / 2), *end = sbrk(0);
    if (first != NULL && first < end && (size_t)(end - first) <= size + LARGE_BLOCK)
        mem_advise_random(first, (size_t)(end - first));
    free(first);
#endif
}

void mem_fail_nth(uint64_t nth)
{
    atomic_store(&calls_until_failure, nth);
}

int64_t mem_n_live(void)
{
    return atomic_load_explicit(&n_live, memory_order_relaxed);
}
