/*
 * `citybrain contract ACTION …`: drafting, signing and looking at contracts through the running brain's door; making keys and proving a
 * contract without any brain (docs/contract.md).
 */
#include "base/crypto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "brain/city.h"
#include "brain/commands.h"
#include "hub/cli_call.h"
#include "hub/cli_contract.h"
#include "hub/contract_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTRACT_MAX (4u << 20)

enum {
    CONTRACT_AS,
    CONTRACT_KEY,
    CONTRACT_SIGNATURE,
    CONTRACT_SM2,
    CONTRACT_JSON,
    CONTRACT_VKEY,
    CONTRACT_CITY,
    CONTRACT_DATA,
    CONTRACT_URL
};
static const struct command_option options[] = {
    {"as", "WHO", "a person's sign-in name, police-contracts (the password is in CITYBRAIN_PASSWORD); or a party with a token, to look"},
    {"key", "FILE", "sign: with this private key, which stays here, instead of the one that a demo's hub holds"},
    {"signature", "FILE", "sign: hand in what `sign FILE --key` printed elsewhere"},
    {"sm2", NULL, "key: an SM2 key; otherwise Ed25519"},
    {"json", NULL, "show: the whole of it as JSON, with the receipt; what verify reads"},
    {"vkey", "KEY", "verify: the log's verifier key, or a file that holds it; without it the file's own is believed, and said so"},
    {"city", "DIR", "the city's files (default city/hangzhou); verify: also whose declared keys the signatures must be"},
    {"data", "DIR", "its data folder, for a party's token (default var/CITY)"},
    {"url", "URL", "the brain's address (default: as city.yaml says)"},
    {NULL, NULL, NULL},
};

static int wrong_use(void)
{
    fprintf(stderr, "citybrain contract: give one of\n"
                    "    list [mine|to-sign|in-force|history]      show CONTRACT [--json]\n"
                    "    draft FILE                                change CONTRACT FILE\n"
                    "    offer|sign|suspend|resume|confirm|revoke|withdraw CONTRACT\n"
                    "each with --as WHO; and without a brain\n"
                    "    key FILE [--sm2]                          verify FILE [--vkey KEY] [--city DIR]\n"
                    "    sign FILE.json --key FILE                 (FILE.json: what show --json wrote; prints the signature)\n");
    return 2;
}

/* ---- without a brain ---- */

static int make_key(const char *path, bool is_sm2)
{
    char text[SIGN_TEXT_MAX + 1];
    struct sign_public public_key;
    struct sign_key *key;
    if (sign_key_make(is_sm2 ? SIGN_SM2 : SIGN_ED25519, &key))
        return 2;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    sign_key_text(key, text);
    size_t len = strlen(text);
    text[len++] = '\n';
    bool is_written = fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    crypto_wipe(text, sizeof text);
    if (is_written) {
        sign_key_public(key, &public_key);
        sign_public_text(&public_key, text);
        printf("%s\n", text);
    } else {
        fprintf(stderr, "citybrain contract: the key could not be written to %s: %s\n", path, strerror(why));
    }
    sign_key_destroy(key);
    return is_written ? 0 : 2;
}

/* The key that parties.yaml declares for a party; false: none. */
static bool declared_key(const char *city, const char *party, struct sign_public *ret_key)
{
    char path[CITY_PATH_MAX];
    struct yaml *yaml;
    bool is_found = false;
    if (city_path(city, "parties.yaml", path) || yaml_load_file(path, NULL, &yaml))
        return false;
    struct yaml_node list = yaml_get(yaml_root(yaml), "parties");
    for (size_t i = 0; i < yaml_n_items(list) && !is_found; i++) {
        struct yaml_node one = yaml_item(list, i);
        is_found =
            str_equal_c(yaml_text(yaml_get(one, "name")), party) && sign_public_read(yaml_text(yaml_get(one, "key")), ret_key) == ERR_OK;
    }
    yaml_destroy(yaml);
    return is_found;
}

static struct str read_vkey(const char *given, char *out, size_t size)
{
    struct buf text;
    if (strchr(given, '+'))
        return str_trim(str_from_c(given));
    buf_init(&text, size);
    out[0] = '\0';
    if (file_read(given, &text) == ERR_OK)
        snprintf(out, size, STR_FORMAT, STR_ARG(buf_str(&text)));
    else
        fprintf(stderr, "citybrain contract: %s holds no verifier key; a brain gives it at /log/v1/vkey\n", given);
    buf_finish(&text);
    return str_trim(str_from_c(out));
}

static int verify(const struct command_line *line, const char *path)
{
    char vkey[1024];
    struct sign_public keys[2];
    struct buf text;
    struct contract_verify verify = {0};
    buf_init(&text, CONTRACT_MAX);
    if (line->values[CONTRACT_VKEY] && str_is_empty(verify.vkey = read_vkey(line->values[CONTRACT_VKEY], vkey, sizeof vkey)))
        return 2;
    if (file_read(path, &text)) {
        fprintf(stderr, "unreadable: %s cannot be read\n", path);
        buf_finish(&text);
        return 2;
    }
    contract_verify(buf_str(&text), &verify);
    const char *city = line->values[CONTRACT_CITY];
    bool has_provider = false, has_consumer = false;
    if (verify.result == 0 && city) { /* now that the parties are known: once more, with the keys that they declare */
        has_provider = declared_key(city, verify.provider, &keys[0]);
        has_consumer = declared_key(city, verify.consumer, &keys[1]);
        verify.provider_key = has_provider ? &keys[0] : NULL;
        verify.consumer_key = has_consumer ? &keys[1] : NULL;
        contract_verify(buf_str(&text), &verify);
    }
    buf_finish(&text);
    if (verify.result) {
        fprintf(stderr, "%s: %s\n", verify.result == 1 ? "refused" : "unreadable", verify.diag.text);
        return verify.result;
    }
    printf("proven: %s was signed by %s and %s, and came into force with %s\n", verify.contract, verify.provider, verify.consumer,
        verify.receipt);
    if (!has_provider || !has_consumer)
        printf("the key of %s came from the ledger's leaf: bring the parties' own with --city to know that it is theirs\n",
            !has_provider && !has_consumer ? "both sides"
            : has_provider                 ? verify.consumer
                                           : verify.provider);
    if (verify.is_log_key_from_file)
        printf("the log's verifier key came from the file itself: bring the log's own with --vkey to know that it is the city's\n");
    return 0;
}

/* ---- through the door ---- */

static bool is_step(const char *action)
{
    static const char *const steps[] = {"offer", "sign", "suspend", "resume", "revoke", "withdraw", "confirm"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (strcmp(action, steps[i]) == 0)
            return true;
    return false;
}

static int act(const struct command_line *line, struct hub_cli_contract *cli)
{
    const char *action = line->words[0], *first = line->n_words > 1 ? line->words[1] : NULL,
               *second = line->n_words > 2 ? line->words[2] : NULL;
    int code = hub_cli_contract_sign_in(cli, stderr);
    if (code)
        return code;
    if (strcmp(action, "list") == 0 && !second)
        return hub_cli_contract_list(cli, first, stdout, stderr);
    if (strcmp(action, "show") == 0 && first)
        return hub_cli_contract_show(cli, first, line->values[CONTRACT_JSON] != NULL, stdout, stderr);
    if (strcmp(action, "draft") == 0 && first)
        return hub_cli_contract_draft(cli, first, NULL, stdout, stderr);
    if (strcmp(action, "change") == 0 && second)
        return hub_cli_contract_draft(cli, second, first, stdout, stderr);
    if (is_step(action) && first)
        return hub_cli_contract_step(cli, first, action, line->values[CONTRACT_KEY], line->values[CONTRACT_SIGNATURE], stdout, stderr);
    return wrong_use();
}

static int at_door(const struct command_line *line, const struct city *city)
{
    const char *who = line->values[CONTRACT_AS], *password = getenv("CITYBRAIN_PASSWORD");
    char url[128], token[256];
    struct hub_cli_contract cli = {
        .url = line->values[CONTRACT_URL] ? line->values[CONTRACT_URL] : url, .person = who, .password = password};
    snprintf(url, sizeof(url), "http://%s:%u", city->address, city->port);
    if (strchr(who, '/')) {
        if (hub_cli_token(city->data_dir, who, token, sizeof(token)) != ERR_OK) {
            fprintf(stderr, "citybrain contract: %s has no token in %s/tokens; parties.yaml says who gets one\n", who, city->data_dir);
            return 2;
        }
        cli.token = token;
    } else if (!password) {
        fprintf(stderr, "citybrain contract: put the password of %s into the environment as CITYBRAIN_PASSWORD\n", who);
        return 2;
    }
    return act(line, &cli);
}

static int run_contract(const struct command_line *line)
{
    struct city city;
    const char *action = line->words[0];
    if (strcmp(action, "key") == 0 && line->n_words == 2)
        return make_key(line->words[1], line->values[CONTRACT_SM2] != NULL);
    if (strcmp(action, "verify") == 0 && line->n_words == 2)
        return verify(line, line->words[1]);
    if (strcmp(action, "sign") == 0 && line->n_words == 2 && line->values[CONTRACT_KEY] && !line->values[CONTRACT_AS])
        return hub_cli_contract_sign_file(line->words[1], line->values[CONTRACT_KEY], stdout, stderr);
    if (!line->values[CONTRACT_AS])
        return wrong_use();
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    enum err err =
        city_load(line->values[CONTRACT_CITY] ? line->values[CONTRACT_CITY] : "city/hangzhou", line->values[CONTRACT_DATA], diags, &city);
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "citybrain: %s\n", diags->diags[i].text);
    mem_free(diags);
    if (err != ERR_OK)
        return 2;
    int status = at_door(line, &city);
    city_finish(&city);
    return status;
}

const struct command command_contract = {"contract", "ACTION … --as WHO",
    "contracts: list, show, draft, change, offer, sign, suspend, resume, confirm, revoke, withdraw; key, verify", options, 1, 3,
    run_contract};
