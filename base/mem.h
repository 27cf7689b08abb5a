/*
 * Memory: the one door to the allocator, which can be told to fail the Nth call.
 *
 * Tests walk N upward until a whole scenario passes, so that every allocation's failure path has been taken once.
 * The counters are atomic; the fault is per process. Third-party libraries allocate for themselves.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Each returns NULL when there is no memory (or the fault injection says so); a size of 0 is an assertion. Free with mem_free(). */
void *mem_alloc(size_t size) MUST_CHECK;
void *mem_alloc_zero(size_t n, size_t size) MUST_CHECK; /* n * size is checked for overflow */
void *mem_resize(void *ptr, size_t size) MUST_CHECK;    /* on NULL the old block stays valid */
void mem_free(void *ptr);                               /* takes NULL */
/* As mem_resize(), for tables whose rows are lines of the cache: the block begins at one, and `old_size` bytes of it are kept. A row that
 * lay across two lines would be two waits for memory. */
#define MEM_LINE 64
void *mem_resize_lines(void *ptr, size_t old_size, size_t size) MUST_CHECK;

/* Room for the largest that a table may become: zeros, of which only what is touched takes memory. It begins at a page, never moves, and is
 * given back by its size. NULL as above. */
void *mem_reserve(size_t size) MUST_CHECK;
void mem_release(void *ptr, size_t size); /* takes NULL */

/* A hint for a block that was just allocated: it is large, will be full, and is looked into at random. Where the machine has pages of two
 * megabytes, it gets them, and looking something up costs no walk through tables of pages. Nothing happens to a block of less. */
void mem_advise_random(void *ptr, size_t size);
/* The same for what will be allocated next, about `size` bytes in blocks of less than eight megabytes: for programs that do one thing and
 * end. Where malloc() is another than glibc's nothing happens. Before other threads begin. */
void mem_expect_random(size_t size);

/* Makes the nth call from now on fail, counting from 1; 0 turns the fault off. For tests only. */
void mem_fail_nth(uint64_t nth);

/* Allocations made and not yet freed: a test's leak check. */
int64_t mem_n_live(void);

#endif
