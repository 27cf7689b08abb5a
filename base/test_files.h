/* Small files for tests: written whole, read whole. Each fails the test where it cannot. */
#ifndef BASE_TEST_FILES_H
#define BASE_TEST_FILES_H

#include "base/test.h"

#include <stdio.h>

static inline void test_write(const char *path, struct str text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

/* What `out` has room for, ended by NUL. */
static inline void test_read(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(out, 1, size - 1, file);
    out[n] = 0;
    assert_int_equal(fclose(file), 0);
}

#endif
