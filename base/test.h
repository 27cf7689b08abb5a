/*
 * The tests' one door to cmocka, so that no test includes it directly.
 *
 *     static void adds(void **state) { assert_int_equal(1 + 1, 2); }
 *     int main(void) { const struct CMUnitTest tests[] = {cmocka_unit_test(adds)}; return cmocka_run_group_tests(tests, NULL, NULL); }
 */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

/* How often a test repeats itself: all of `n`, and an eighth under ThreadSanitizer, which looks for races and not for wrong results, and
 * takes ten times as long. Not for what must be reached once. */
#ifdef __SANITIZE_THREAD__
#define TEST_TIMES(n_) ((n_) / 8)
#define TEST_STEP 5 /* of a walk over every point of something: each fifth of them */
#else
#define TEST_TIMES(n_) (n_)
#define TEST_STEP 1
#endif

#define assert_ok(expression_) assert_string_equal(err_text(expression_), err_text(ERR_OK))
#define assert_err(expression_, err_) assert_string_equal(err_text(expression_), err_text(err_))
#define assert_str(s_, literal_)                                                                                                           \
    do {                                                                                                                                   \
        struct str assert_str_s = (s_);                                                                                                    \
        if (!str_equal_c(assert_str_s, literal_))                                                                                          \
            fail_msg("\"" STR_FORMAT "\" is not \"%s\"", STR_ARG(assert_str_s), literal_);                                                 \
    } while (0)

#endif
