"""Ed25519 (RFC 8032, section 5.1), for a few signatures a second: a checker that brings its own needs no package and trusts no library of ours.

Not for keys that are worth anything: it takes other times for other numbers. `verify` is the cofactorless check of section 5.1.7 and refuses an S that is not
below the group's order, as section 8.4 asks.
"""
import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def _recover_x(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _recover_x(_BASE_Y, 0)
BASE = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)  # extended coordinates: x/z, y/z, t = xy/z
NEUTRAL = (0, 1, 1, 0)
_DOUBLES = []


def _add(a, b):
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number, point):
    result = NEUTRAL
    while number:
        if number & 1:
            result = _add(result, point)
        point = _add(point, point)
        number >>= 1
    return result


def _times_base(number):
    """The base point's doubles are made once: a third of the work."""
    if not _DOUBLES:
        point = BASE
        for _ in range(256):
            _DOUBLES.append(point)
            point = _add(point, point)
    result = NEUTRAL
    for place in range(number.bit_length()):
        if number >> place & 1:
            result = _add(result, _DOUBLES[place])
    return result


def _equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def _write(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _read(data):
    number = int.from_bytes(data, "little")
    y = number & (1 << 255) - 1
    x = _recover_x(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


def _hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _expand(seed):
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    return scalar, digest[32:]


def public_key(seed):
    return _write(_times_base(_expand(seed)[0]))


def sign(seed, message):
    scalar, prefix = _expand(seed)
    public = _write(_times(scalar, BASE))
    r = _hash(prefix, message) % ORDER
    point = _write(_times_base(r))
    return point + ((r + _hash(point, public, message) * scalar) % ORDER).to_bytes(32, "little")


def verify(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    key, point, s = _read(public), _read(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or point is None or s >= ORDER:
        return False
    return _equal(_times_base(s), _add(point, _times(_hash(signature[:32], public, message) % ORDER, key)))
