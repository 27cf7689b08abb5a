/* An arena of blocks, newest first; each block doubles, a request larger than a block gets one of its own size. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARENA_ALIGN 16
#define ARENA_BLOCK_FIRST 4096
#define ARENA_BLOCK_MAX (1u << 20)

struct arena_block {
    struct arena_block *older;
    size_t cap, len;
    _Alignas(ARENA_ALIGN) char bytes[];
};

void arena_init(struct arena *arena, size_t max_bytes)
{
    *arena = (struct arena){.max_bytes = max_bytes};
}

static void free_blocks(struct arena *arena, struct arena_block *block)
{
    while (block) {
        struct arena_block *older = block->older;
        arena->n_bytes -= block->cap;
        mem_free(block);
        block = older;
    }
}

void arena_finish(struct arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena, arena->blocks);
    arena->blocks = NULL;
}

void arena_reset(struct arena *arena)
{
    if (!arena->blocks)
        return;
    struct arena_block *first = arena->blocks;
    struct arena_block *newer = NULL;
    for (; first->older; first = first->older)
        newer = first;
    if (newer) {
        newer->older = NULL;
        free_blocks(arena, arena->blocks);
        arena->blocks = first;
    }
    first->len = 0;
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t cap = arena->blocks ? arena->blocks->cap * 2 : ARENA_BLOCK_FIRST;
    if (cap > ARENA_BLOCK_MAX)
        cap = ARENA_BLOCK_MAX;
    size_t left = arena->max_bytes > arena->n_bytes ? arena->max_bytes - arena->n_bytes : 0;
    if (size > left)
        return NULL;
    if (cap > left)
        cap = left;
    if (cap < size)
        cap = size;
    struct arena_block *block = mem_alloc(sizeof(*block) + cap);
    if (!block)
        return NULL;
    *block = (struct arena_block){.older = arena->blocks, .cap = cap};
    arena->blocks = block;
    arena->n_bytes += cap;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - ARENA_ALIGN)
        return NULL;
    size = size == 0 ? ARENA_ALIGN : (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    struct arena_block *block = arena->blocks;
    if (!block || block->cap - block->len < size)
        block = add_block(arena, size);
    if (!block)
        return NULL;
    void *ptr = block->bytes + block->len;
    block->len += size;
    return ptr;
}

void *arena_alloc_zero(struct arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    void *ptr = arena_alloc(arena, bytes);
    if (ptr)
        memset(ptr, 0, bytes);
    return ptr;
}

enum err arena_copy_str(struct arena *arena, struct str s, struct str *ret_copy)
{
    char *copy = arena_alloc(arena, s.len + 1);
    if (!copy)
        return ERR_NO_MEMORY;
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    *ret_copy = (struct str){copy, s.len};
    return ERR_OK;
}

enum err arena_printf(struct arena *arena, struct str *ret_text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *text = len >= 0 ? arena_alloc(arena, (size_t)len + 1) : NULL;
    if (text) {
        vsnprintf(text, (size_t)len + 1, format, again);
        *ret_text = (struct str){text, (size_t)len};
    }
    va_end(again);
    va_end(args);
    return text ? ERR_OK : ERR_NO_MEMORY;
}
