/*
 * In place of pthread_create() for the tests that are said to start no thread (suite "threadless"), so that the word holds: ThreadSanitizer
 * does not see these tests.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *context)
{
    fputs("this test is said to start no thread, and starts one; mend: take it out of the suite threadless in its meson.build\n", stderr);
    abort();
}
