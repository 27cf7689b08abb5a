/* The engines of tests that start no server. */
#include "tests/query/query_city.h"

const struct query_engine *const query_engines[] = {&query_engine_sqlite};
const size_t query_n_engines = 1;
