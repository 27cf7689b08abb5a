/*
 * A packet's header, looked at before libmosquitto takes the packet: it would make room for as many bytes as a broker promises, 256 MB, and
 * read them all before it shows one. The header is peeked at, behind TLS too; when a packet has been taken whole libmosquitto says so.
 * Bytes as of MQTT 3.1.1, section 2.2.
 */
#define ERR_STATE openssl_err_state /* a type there */
#include <openssl/err.h>
#include <openssl/ssl.h>
#undef ERR_STATE

#include "system/mqtt/inside.h"

#include <errno.h>
#include <sys/socket.h>

#define HEADER_MAX 5
#define KIND_PUBLISH 3
#define QOS_EXACTLY_ONCE 2

/* Up to HEADER_MAX bytes of what comes next; 0: nothing is there. False: an end, or an error, for libmosquitto to find. */
static bool peek(struct mqtt_system *system, uint8_t header[HEADER_MAX], size_t *ret_n)
{
    SSL *ssl = mosquitto_ssl_get(system->client);
    *ret_n = 0;
    if (!ssl) {
        ssize_t n = recv(mosquitto_socket(system->client), header, HEADER_MAX, MSG_PEEK | MSG_DONTWAIT);
        *ret_n = n > 0 ? (size_t)n : 0;
        return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
    }
    ERR_clear_error();
    int n = SSL_peek(ssl, header, HEADER_MAX);
    *ret_n = n > 0 ? (size_t)n : 0;
    int why = SSL_get_error(ssl, n);
    return n > 0 || why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

enum mqtt_packet mqtt_packet_look(struct mqtt_system *system)
{
    uint8_t header[HEADER_MAX];
    size_t n, length = 0;
    SSL *ssl = mosquitto_ssl_get(system->client);
    if (ssl && !SSL_is_init_finished(ssl))
        return MQTT_PACKET_GREETING;
    if (!peek(system, header, &n))
        return MQTT_PACKET_FITS;
    for (size_t i = 1; i < n; i++) {
        length |= (size_t)(header[i] & 0x7f) << 7 * (i - 1);
        if (header[i] & 0x80)
            continue;
        if (header[0] >> 4 == KIND_PUBLISH && (header[0] >> 1 & 3) == QOS_EXACTLY_ONCE)
            return MQTT_PACKET_FOREIGN; /* we subscribe to less, and libmosquitto would keep each until its second half comes */
        return length > MQTT_PACKET_MAX ? MQTT_PACKET_TOO_LARGE : MQTT_PACKET_FITS;
    }
    return n == HEADER_MAX ? MQTT_PACKET_TOO_LARGE : n > 0 ? MQTT_PACKET_PART : MQTT_PACKET_NONE;
}
