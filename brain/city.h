/*
 * city.yaml: what a city says of itself. Format: docs/city.md. The other files of a city are read by the folders that they are about.
 */
#ifndef BRAIN_CITY_H
#define BRAIN_CITY_H

#include "base/clock.h"
#include "base/diag.h"
#include "base/str.h"

#define CITY_PATH_MAX 512

struct policy;
struct yaml;

struct city {
    struct yaml *yaml; /* owned; the strings below borrow from it */
    struct str name;   /* root of the area tree: "hangzhou" */
    struct str title_zh, title_en;
    struct time_zone zone;
    struct str zone_name;
    struct str log_origin;
    struct policy *policy; /* owned; whose cosignatures make a checkpoint count. NULL: nobody's */
    char policy_path[CITY_PATH_MAX];
    bool has_sm_log;
    int64_t receipts_kept_ms; /* served to everybody for so long; 0: for ever */
    char address[64];
    uint16_t port;
    int64_t epoch_keys_kept_ms;
    /* `district:`; federation empty: this hub stands alone */
    char federation[CITY_PATH_MAX];
    struct str bus_url;
    char bus_nkey[CITY_PATH_MAX], bus_ca[CITY_PATH_MAX], bus_cert[CITY_PATH_MAX], bus_key[CITY_PATH_MAX]; /* empty: none */
    bool is_demo; /* allows the printed demo password */
    char dir[CITY_PATH_MAX], data_dir[CITY_PATH_MAX];
};

/* `data_dir` NULL: "var/" and the last part of `dir`. Errors in `diags`. */
enum err city_load(const char *dir, const char *data_dir, struct diag_list *diags, struct city *ret_city) MUST_CHECK;
void city_finish(struct city *city);
/* "dir/name" into `out`; ERR_TOO_LARGE. */
enum err city_path(const char *dir, const char *name, char out[CITY_PATH_MAX]) MUST_CHECK;

#endif
