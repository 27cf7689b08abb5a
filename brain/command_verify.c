/* `citybrain verify RECEIPT`: a receipt proven offline; `citybrain verify FOLDER`: a whole log's files. Exit status 0 proven, 1 refused,
 * 2 unreadable. */
#include "base/mem.h"
#include "brain/commands.h"
#include "ledger/check.h"
#include "ledger/policy.h"
#include "ledger/verify.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { VERIFY_VKEY, VERIFY_POLICY };
static const struct command_option options[] = {
    {"vkey", "KEY", "the log's verifier key, or a file that holds it; without it the receipt's own is believed, and said so"},
    {"policy", "FILE", "whose cosignatures it needs (C2SP tlog-policy), as a brain gives it at /log/v1/policy; names the log's key, too"},
    {NULL, NULL, NULL},
};

/* A key given as text holds a '+'; else it is a file's name. */
static bool read_vkey(const char *given, char *out, size_t size)
{
    if (strchr(given, '+')) {
        snprintf(out, size, "%s", given);
        return true;
    }
    FILE *file = fopen(given, "r");
    bool is_read = file && fgets(out, (int)size, file);
    if (file)
        fclose(file);
    if (!is_read)
        fprintf(stderr, "citybrain verify: %s holds no verifier key; a brain gives it at /log/v1/vkey\n", given);
    return is_read;
}

static int verify_log(const char *folder, struct str vkey)
{
    struct note_verifier verifier;
    struct ledger_checked checked;
    struct diag diag = {""};
    if (str_is_empty(vkey) || note_verifier_parse(vkey, &verifier, &diag)) {
        fprintf(stderr, "unreadable: a log's files are held against its key; bring it with --vkey, as a brain gives it at /log/v1/vkey\n");
        return VERIFY_UNREADABLE;
    }
    enum err err = ledger_check(folder, &verifier, &checked, &diag);
    if (err) {
        bool is_refused = err == ERR_CORRUPT || err == ERR_CRYPTO;
        fprintf(stderr, "%s: %s\n", is_refused ? "refused" : "unreadable", diag.text[0] ? diag.text : err_text(err));
        return is_refused ? VERIFY_REFUSED : VERIFY_UNREADABLE;
    }
    printf("proven: every entry and every tile of a log of %llu\n", (unsigned long long)checked.size);
    return VERIFY_PROVEN;
}

static int run_verify(const struct command_line *line)
{
    char vkey[512] = "";
    struct verify_report report;
    struct policy *policy = NULL;
    struct diag diag = {""};
    if (line->values[VERIFY_VKEY] && !read_vkey(line->values[VERIFY_VKEY], vkey, sizeof(vkey)))
        return VERIFY_UNREADABLE;
    if (line->values[VERIFY_POLICY] && policy_load(line->values[VERIFY_POLICY], &diag, &policy) != ERR_OK) {
        fprintf(stderr, "citybrain verify: %s\n", diag.text);
        return VERIFY_UNREADABLE;
    }
    struct stat status;
    if (stat(line->words[0], &status) == 0 && S_ISDIR(status.st_mode)) {
        policy_destroy(policy);
        return verify_log(line->words[0], str_trim(str_from_c(vkey)));
    }
    verify_receipt_file(line->words[0], str_trim(str_from_c(vkey)), policy, &report);
    policy_destroy(policy);
    if (report.result != VERIFY_PROVEN) {
        fprintf(stderr, "%s: %s\n", report.result == VERIFY_REFUSED ? "refused" : "unreadable", report.diag.text);
        return report.result;
    }
    printf("proven: %s is leaf %llu of a log of %llu\n", report.receipt, (unsigned long long)report.index, (unsigned long long)report.size);
    if (line->values[VERIFY_POLICY])
        printf("a quorum of the policy's witnesses has cosigned the log's checkpoint\n");
    if (report.is_key_from_file)
        printf("the verifier key came from the receipt itself: bring the log's own with --vkey to know that it is the city's\n");
    return VERIFY_PROVEN;
}

const struct command command_verify = {"verify", "RECEIPT.json|LOG [--vkey KEY] [--policy FILE]",
    "proves a receipt, or the folder of a log's files, offline: exit status 0 proven, 1 refused, 2 unreadable", options, 1, 1, run_verify};
