/*
 * federation.yaml: the hubs of a federation and the agreements (协定) between two of them. One file, the same for all of them; each hub has
 * its own city.yaml, which names it (docs/district.md).
 *
 *     hubs:
 *       - {area: hangzhou,      log: hangzhou.log,      key: "ed25519:…"}
 *       - {area: hangzhou.xihu, log: hangzhou.xihu.log, key_file: "{data}/../hubs/hangzhou.xihu.pub"}
 *     agreements:
 *       - agreement: hangzhou/a-1
 *         hubs: [hangzhou, hangzhou.xihu]
 *         legal_basis: {zh: …, en: …}
 *         fresh_for: 5s               how long either may go on by the other's last word when it is cut off
 *         from: 2026-01-01
 *         until: 2028-01-01
 *         state: {hangzhou: agreed, hangzhou.xihu: agreed}
 */
#ifndef DISTRICT_FEDERATION_H
#define DISTRICT_FEDERATION_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/yaml.h"
#include "district/route.h"
#include "district/step.h"

#define FEDERATION_PATH_MAX 512
#define FEDERATION_FRESH_MIN_MS 1000 /* two beats have to fit in */
#define FEDERATION_FRESH_MAX_MS (INT64_C(86400000))

struct federation_hub {
    struct str area, log; /* log: origin of its ledger; receipts are called so */
    struct str key;       /* its public key (base/sign.h); empty: in the file */
    char key_file[FEDERATION_PATH_MAX];
};

struct federation_agreement {
    struct str name;
    int hubs[2];        /* places in `nodes` */
    struct sha256 hash; /* of its content in canonical JSON: all but `state` */
    int64_t fresh_for_ms, from_ms, until_ms;
    enum district_agreement states[2]; /* as the file has them */
    struct yaml_node place;
};

struct federation {
    struct yaml *yaml;  /* owned; the names borrow from it */
    struct arena arena; /* owned */
    size_t n_hubs, n_agreements;
    struct district_node *nodes; /* by number */
    struct federation_hub *hubs; /* the same */
    struct federation_agreement *agreements;
};

/* `data_dir` takes the place of "{data}" in key files. Every error is told in `diags`. */
enum err federation_load(
    const char *path, const char *data_dir, struct time_zone zone, struct diag_list *diags, struct federation **ret_federation) MUST_CHECK;
void federation_destroy(struct federation *federation);                        /* takes NULL */
int federation_hub_find(const struct federation *federation, struct str area); /* -1: none */
/* The agreement of two hubs; NULL: they have none. */
const struct federation_agreement *federation_between(const struct federation *federation, int a, int b);

#endif
