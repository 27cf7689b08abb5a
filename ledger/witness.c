/*
 * The witness's judgement. See ledger/witness.h; the rules stand here in the specification's order.
 */
#include "ledger/witness.h"

#include <inttypes.h>
#include <string.h>

/* ---- the request ---- */

void witness_request_write(const struct witness_request *request, struct buf *out)
{
    buf_printf(out, "old %" PRIu64 "\n", request->old_size);
    for (size_t i = 0; i < request->proof.n; i++) {
        crypto_base64((struct str){(const char *)request->proof.hashes[i].bytes, 32}, out);
        buf_append_byte(out, '\n');
    }
    buf_append_byte(out, '\n');
    buf_append_str(out, request->note);
}

enum err witness_request_parse(struct str body, struct witness_request *ret_request, struct diag *diag)
{
    struct witness_request request = {.proof = {.n = 0}};
    struct str line, prefix = STR("old ");
    if (body.len > WITNESS_BODY_MAX)
        return diag_set(diag, ERR_TOO_LARGE, NULL, 0, "the request is longer than %u bytes", WITNESS_BODY_MAX);
    if (!note_next_line(&body, &line) || !str_starts_with(line, prefix) ||
        note_parse_number(str_slice(line, prefix.len, line.len), &request.old_size))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "the request's first line is not \"old SIZE\"");
    for (;;) {
        if (!note_next_line(&body, &line))
            return diag_set(diag, ERR_SYNTAX, NULL, 0, "the request ends before its checkpoint");
        if (line.len == 0)
            break;
        if (request.proof.n == WITNESS_PROOF_MAX)
            return diag_set(diag, ERR_SYNTAX, NULL, 0, "the consistency proof has more than %d hashes", WITNESS_PROOF_MAX);
        enum err err = note_parse_hash(line, &request.proof.hashes[request.proof.n++]);
        if (err)
            return diag_set(diag, err, NULL, 0, "hash %zu of the consistency proof is not 32 bytes in Base64", request.proof.n);
    }
    request.note = body;
    *ret_request = request;
    return ERR_OK;
}

/* ---- the judgement ---- */

static enum err refuse(struct witness_verdict *verdict, enum witness_status status, const char *why)
{
    verdict->status = status;
    if (why)
        diag_set(&verdict->diag, ERR_DENIED, NULL, 0, "%s", why);
    return ERR_OK;
}

/* Malformed input has its words in the diag already; failing memory is nobody's fault and no verdict. */
static enum err malformed(struct witness_verdict *verdict, enum err err)
{
    return err == ERR_NO_MEMORY ? err : refuse(verdict, WITNESS_MALFORMED, NULL);
}

/* The log is known and has signed the checkpoint: is what was cosigned before a beginning of it? */
static enum err judge(const struct witness_log *log, const struct witness_request *request, struct witness_verdict *verdict)
{
    const struct checkpoint *checkpoint = &verdict->checkpoint;
    bool is_same_root = memcmp(&checkpoint->root, &log->root, sizeof log->root) == 0;
    verdict->is_fork = checkpoint->size == log->size && log->size > 0 && !is_same_root;
    verdict->known_size = log->size;
    if (request->old_size > checkpoint->size)
        return refuse(verdict, WITNESS_MALFORMED, "the old size is larger than the checkpoint's");
    if (request->old_size != log->size)
        return refuse(verdict, WITNESS_CONFLICT, "the old size is not that of the checkpoint cosigned last");
    if (checkpoint->size == log->size && !is_same_root)
        return refuse(verdict, WITNESS_CONFLICT, "the root is not the one that this witness knows for this size");
    if (!merkle_check_consistency(&request->proof, log->size, checkpoint->size, &log->root, &checkpoint->root))
        return refuse(
            verdict, WITNESS_NOT_CONSISTENT, "the proof does not show that the checkpoint cosigned last is a beginning of this one");
    verdict->status = WITNESS_COSIGN;
    return ERR_OK;
}

enum err witness_step(const struct witness_log *logs, size_t n_logs, struct str body, struct witness_verdict *ret_verdict)
{
    struct witness_verdict *verdict = ret_verdict;
    struct witness_request request = {.note = STR_NONE};
    struct str text = STR_NONE;
    *verdict = (struct witness_verdict){.status = WITNESS_MALFORMED};
    enum err err = witness_request_parse(body, &request, &verdict->diag);
    if (!err)
        err = note_text(request.note, &text, &verdict->diag);
    if (!err)
        err = checkpoint_parse(text, &verdict->checkpoint, &verdict->diag);
    if (err)
        return malformed(verdict, err);
    size_t at = 0;
    while (at < n_logs && !str_equal(logs[at].key.name, verdict->checkpoint.origin))
        at++;
    if (at == n_logs)
        return refuse(verdict, WITNESS_UNKNOWN_LOG, "the log is not one that this witness knows");
    verdict->log = at;
    err = note_open(request.note, &logs[at].key, &verdict->text, &verdict->diag);
    if (err)
        return err == ERR_CRYPTO ? refuse(verdict, WITNESS_NOT_SIGNED, NULL) : malformed(verdict, err);
    return judge(&logs[at], &request, verdict);
}
