/*
 * The small network of road/'s tests, by hand: a crossing with a signal. Tests only.
 *
 *             D (500,1000)
 *             |  "学院路"
 *     A ----- B ----- C      "文一路", A at (0,500), B at (500,500), C at (1000,500)
 *
 * UTM zone 51; the corner (0,0) of the network is 223000 m east, 3353000 m north of that zone's origin.
 */
#ifndef ROAD_TEST_NET_H
#define ROAD_TEST_NET_H

#define NET_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<net version=\"1.16\">\n"
#define NET_UTM                                                                                                                            \
    "<location netOffset=\"-223000.00,-3353000.00\" convBoundary=\"0,0,1000,1000\" origBoundary=\"120.12,30.27,120.14,30.29\" "            \
    "projParameter=\"+proj=utm +zone=51 +ellps=WGS84 +datum=WGS84 +units=m +no_defs\"/>\n"
#define NET_FLAT "<location netOffset=\"0.00,0.00\" convBoundary=\"0,0,1000,1000\" origBoundary=\"0,0,1000,1000\" projParameter=\"!\"/>\n"
#define NET_BODY                                                                                                                           \
    "<edge id=\":B_0\" function=\"internal\"><lane id=\":B_0_0\" index=\"0\" speed=\"10.00\" length=\"20.00\" "                            \
    "shape=\"490,498.4 510,498.4\"/></edge>\n"                                                                                             \
    "<edge id=\":B_1\" function=\"internal\"><lane id=\":B_1_0\" index=\"0\" speed=\"6.00\" length=\"15.00\" "                             \
    "shape=\"490,498.4 501.6,510\"/></edge>\n"                                                                                             \
    "<edge id=\":B_w0\" function=\"walkingarea\"><lane id=\":B_w0_0\" index=\"0\" allow=\"pedestrian\" speed=\"1.00\" length=\"2.00\" "    \
    "shape=\"490,498 491,499\"/></edge>\n"                                                                                                 \
    "<edge id=\"AB\" from=\"A\" to=\"B\" name=\"文一路\" priority=\"9\" type=\"highway.secondary\">\n"                                  \
    "<lane id=\"AB_0\" index=\"0\" allow=\"pedestrian\" speed=\"1.50\" length=\"490.00\" shape=\"0,490 490,490\"/>\n"                      \
    "<lane id=\"AB_1\" index=\"1\" disallow=\"pedestrian tram\" speed=\"14.00\" length=\"490.00\" shape=\"0,495.2 490,495.2\"/>\n"         \
    "<lane id=\"AB_2\" index=\"2\" disallow=\"pedestrian\" speed=\"14.00\" length=\"490.00\" shape=\"0,498.4 490,498.4\"/>\n"              \
    "</edge>\n"                                                                                                                            \
    "<edge id=\"BA\" from=\"B\" to=\"A\" name=\"文一路\" type=\"highway.secondary\"><lane id=\"BA_0\" index=\"0\" speed=\"14.00\" "     \
    "length=\"490.00\" shape=\"490,501.6 0,501.6\"/></edge>\n"                                                                             \
    "<edge id=\"BC\" from=\"B\" to=\"C\" name=\"文一路\" type=\"highway.secondary\"><lane id=\"BC_0\" index=\"0\" speed=\"14.00\" "     \
    "length=\"490.00\" shape=\"510,498.4 1000,498.4\"/></edge>\n"                                                                          \
    "<edge id=\"CB\" from=\"C\" to=\"B\" name=\"文一路\" type=\"highway.secondary\"><lane id=\"CB_0\" index=\"0\" speed=\"14.00\" "     \
    "length=\"490.00\" shape=\"1000,501.6 510,501.6\"/></edge>\n"                                                                          \
    "<edge id=\"BD\" from=\"B\" to=\"D\" name=\"学院路\" type=\"highway.tertiary\"><lane id=\"BD_0\" index=\"0\" speed=\"10.00\" "      \
    "length=\"490.00\" shape=\"501.6,510 501.6,700 501.6,1000\"/></edge>\n"                                                                \
    "<edge id=\"DB\" from=\"D\" to=\"B\" type=\"highway.tertiary\"><lane id=\"DB_0\" index=\"0\" speed=\"10.00\" length=\"490.00\" "       \
    "shape=\"498.4,1000 498.4,510\"/></edge>\n"                                                                                            \
    "<tlLogic id=\"B\" type=\"static\" programID=\"0\" offset=\"0\"><phase duration=\"30\" state=\"Gr\"/></tlLogic>\n"                     \
    "<junction id=\"A\" type=\"dead_end\" x=\"0.00\" y=\"500.00\" incLanes=\"BA_0\" intLanes=\"\" shape=\"0,500 0,497\"/>\n"               \
    "<junction id=\"B\" type=\"traffic_light\" x=\"500.00\" y=\"500.00\" incLanes=\"AB_1\" intLanes=\"\" shape=\"490,500 510,500\"/>\n"    \
    "<junction id=\"C\" type=\"dead_end\" x=\"1000.00\" y=\"500.00\" incLanes=\"\" intLanes=\"\" shape=\"1000,500 1000,497\"/>\n"          \
    "<junction id=\"D\" type=\"dead_end\" x=\"500.00\" y=\"1000.00\" incLanes=\"\" intLanes=\"\" shape=\"500,1000 503,1000\"/>\n"          \
    "<junction id=\":B_9_0\" type=\"internal\" x=\"500.00\" y=\"500.00\" incLanes=\"\" intLanes=\"\"/>\n"                                  \
    "<connection from=\"AB\" to=\"BC\" fromLane=\"1\" toLane=\"0\" via=\":B_0_0\" tl=\"B\" linkIndex=\"0\" dir=\"s\" state=\"o\"/>\n"      \
    "<connection from=\"AB\" to=\"BD\" fromLane=\"2\" toLane=\"0\" via=\":B_1_0\" tl=\"B\" linkIndex=\"1\" dir=\"l\" state=\"o\"/>\n"      \
    "<connection from=\"AB\" to=\"BC\" fromLane=\"0\" toLane=\"0\" dir=\"s\" state=\"M\"/>\n"                                              \
    "<connection from=\"DB\" to=\"BA\" fromLane=\"0\" toLane=\"0\" tl=\"B\" linkIndex=\"2\" dir=\"r\" state=\"o\"/>\n"                     \
    "<connection from=\"CB\" to=\"BA\" fromLane=\"0\" toLane=\"0\" tl=\"B\" linkIndex=\"3\" dir=\"s\" state=\"o\"/>\n"                     \
    "<connection from=\"BC\" to=\"CB\" fromLane=\"0\" toLane=\"0\" dir=\"t\" state=\"M\"/>\n"                                              \
    "<connection from=\":B_0\" to=\"BC\" fromLane=\"0\" toLane=\"0\" dir=\"s\" state=\"M\"/>\n"
#define NET_TAIL "</net>\n"

#endif
