/* The readers of `citybrain census`: sightings, an empty line, GeoJSON of what was covered. Whatever they hold is counted, or told. */
#include "scene/census/file.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t n_told;

static void on_broken(void *context, const char *told)
{
    (void)context;
    assert(told[0] != 0);
    n_told++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size > 0 ? memmem(data, size, "\n\n", 2) : NULL;
    size_t n_sightings = cut != NULL ? (size_t)(cut - data) + 1 : size, rest = cut != NULL ? n_sightings + 1 : size;
    struct census_files files = {.sightings_path = "fuzz.csv",
        .covered_path = NULL,
        .counts_path = "/dev/null",
        .objects_path = "/dev/null",
        .error_m = 2,
        .n_draws = CENSUS_DRAWS_MIN,
        .n_replicates = 1,
        .seed = 1,
        .on_broken = on_broken};
    struct diag diag = {""};
    n_told = 0;
    enum err err = census_files_parse(&files, (struct str){(const char *)data, n_sightings},
        (struct str){size > rest ? (const char *)data + rest : NULL, size - rest}, &diag);
    assert(err == ERR_OK || diag.text[0] != 0);
    assert(n_told == files.n_broken);
    if (err == ERR_OK)
        assert(files.all.low <= files.all.count && files.all.count <= files.all.high && isfinite(files.all.high));
    return 0;
}
