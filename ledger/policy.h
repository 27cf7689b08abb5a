/*
 * Whose word counts: the k-of-n policy of a log (C2SP tlog-policy), as departments and districts carry it to verifiers.
 *
 *     log hangzhou.log+1f7a…+AT…
 *     witness police   hangzhou/police+0b31…+BH…    http://10.1.0.7:8091
 *     witness transport …
 *     witness xihu      …
 *     group departments 2 police transport xihu      two of three; "all" and "any" are words for numbers
 *     quorum departments                             or "none"
 *
 * A witness run by the log's own operator adds nothing, and two quorums that share no honest witness could be shown two histories: with n
 * witnesses of which f may lie, k has to be more than (n + f) / 2.
 */
#ifndef LEDGER_POLICY_H
#define LEDGER_POLICY_H

#include "ledger/note.h"

#define POLICY_FILE_MAX (64u << 10) /* bytes */
#define POLICY_LOGS_MAX 32          /* what the specification asks for at least, as of the next two */
#define POLICY_WITNESSES_MAX 32     /* a set of them is a uint32_t */
#define POLICY_GROUPS_MAX 32

struct policy_witness {
    struct str name; /* in the policy, not in signatures */
    struct note_verifier key;
    struct str url; /* submission prefix, without a slash at its end; empty: not given */
};

struct policy;

/* `name` is the file's, for errors: "policy:7: …". ERR_SYNTAX and others, told in `diag`. The text is copied. */
enum err policy_parse(struct str text, const char *name, struct diag *diag, struct policy **ret_policy) MUST_CHECK;
enum err policy_load(const char *path, struct diag *diag, struct policy **ret_policy) MUST_CHECK;
void policy_destroy(struct policy *policy); /* takes NULL */

size_t policy_n_witnesses(const struct policy *policy);
const struct policy_witness *policy_witness(const struct policy *policy, size_t at);
/* The log of that name; NULL: the policy names other logs. With no log line at all every log is fine, and this NULL. */
const struct note_verifier *policy_log(const struct policy *policy, struct str origin);
bool policy_has_logs(const struct policy *policy);

/* Is the set of witnesses (bit i: witness i) a quorum? */
bool policy_is_met(const struct policy *policy, uint32_t witnesses);
/* Could two sets without a common witness both be quorums? Then a log and its friends can show two histories. Of up to 20 witnesses every
 * set is tried; with more the answer is false. */
bool policy_can_split(const struct policy *policy);
/* Which witnesses have cosigned this note; a wrong line of one of them is ERR_CRYPTO, told in `diag`, as is ERR_SYNTAX. */
enum err policy_cosigned(const struct policy *policy, struct str note, uint32_t *ret_witnesses, struct diag *diag) MUST_CHECK;
/* The two at once: ERR_CRYPTO also when they are no quorum, with the names of those that are missing. */
enum err policy_check(const struct policy *policy, struct str note, struct diag *diag) MUST_CHECK;

#endif
