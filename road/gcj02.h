/*
 * GCJ-02, the shifted coordinates that maps and many terminals in China use, back to WGS 84. Which of both a source sends is its owner's
 * setting, never guessed: they differ by some 500 m, smoothly, so that each looks right by itself.
 *
 * The shift itself was never published; this is the approximation that is in use everywhere (eviltransform and others), inverted by
 * iteration to a millimetre.
 */
#ifndef ROAD_GCJ02_H
#define ROAD_GCJ02_H

#include "road/network.h"

struct road_point road_gcj02_to_wgs84(struct road_point gcj02); /* degrees; what is outside of China is not shifted */
struct road_point road_gcj02_of_wgs84(struct road_point wgs84); /* for tests and terminals that are played */

#endif
