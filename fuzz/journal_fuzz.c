/*
 * The journal's recovery over hostile bytes: a newest segment with any content is cut, refused or read, and what a scan calls whole can
 * be read again to the same count.
 */
#include "base/file.h"
#include "base/journal_segment.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("journal_fuzz", MFD_CLOEXEC);
    struct segment_scan scan;
    if (fd < 0 || file_write_all(file_ops_system(), fd, data, size, 0))
        abort();
    if (!segment_scan(fd, 0, &scan) && scan.end > 0) {
        assert(scan.end <= size && scan.is_torn == (scan.end < size));
        struct buf body;
        uint64_t n_records = 0;
        buf_init(&body, BATCH_BODY_MAX);
        for (uint64_t at = SEGMENT_HEADER_SIZE; at < scan.end;) {
            struct batch_head head;
            if (batch_load(fd, at, scan.head.salt, &head, &body))
                abort();
            struct batch_cursor cursor = {buf_str(&body)};
            struct str record;
            while (batch_next(&cursor, &record))
                assert(record.len <= body.len);
            at += BATCH_HEADER_SIZE + (uint64_t)head.body_len;
            n_records += head.n_records;
        }
        assert(n_records == scan.next_index);
        buf_finish(&body);
    }
    close(fd);
    return 0;
}
