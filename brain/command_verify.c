/* `citybrain verify RECEIPT`: a receipt proven offline. Exit status 0 proven, 1 refused, 2 unreadable. */
#include "base/mem.h"
#include "brain/commands.h"
#include "ledger/policy.h"
#include "ledger/verify.h"

#include <stdio.h>
#include <string.h>

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

const struct command command_verify = {"verify", "RECEIPT.json [--vkey KEY] [--policy FILE]",
    "proves a receipt offline: exit status 0 proven, 1 refused, 2 unreadable", options, 1, 1, run_verify};
