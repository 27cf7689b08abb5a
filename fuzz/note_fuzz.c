/*
 * Signed notes, verifier keys and checkpoints over hostile bytes: what is accepted as a checkpoint is written back as the same text, up to
 * its extension lines; nothing without the right signature is opened.
 */
#include "ledger/note.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str vkey = STR_INIT("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    struct str input = {(const char *)data, size}, text;
    struct note_verifier verifier;
    struct checkpoint checkpoint;
    if (note_verifier_parse(vkey, &verifier, NULL))
        return 0; /* out of memory */
    if (!note_open(input, &verifier, &text, NULL))
        assert(text.len > 0 && text.len < size && text.ptr[text.len - 1] == '\n');
    if (!checkpoint_parse(input, &checkpoint, NULL)) {
        struct buf again;
        buf_init(&again, NOTE_MAX);
        checkpoint_write(&checkpoint, &again);
        assert(again.err || str_starts_with(input, buf_str(&again)));
        buf_finish(&again);
    }
    if (!note_verifier_parse(input, &verifier, NULL)) {
        struct buf again;
        buf_init(&again, NOTE_MAX);
        if (!note_vkey_write(verifier.name, verifier.key, &again))
            assert(str_equal_nocase(input, buf_str(&again))); /* the id's hexadecimal digits may be capitals */
        buf_finish(&again);
    }
    return 0;
}
