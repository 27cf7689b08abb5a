// MOCK, for development and tests only. A few real road names around the West Lake on straight lines, areas as boxes, and
// figures that move along a plausible day. Nothing here is a measurement, and nothing of it is shipped in dist/.

const text = (zh, en) => ({ zh, en });

export const AREAS = [
  { name: 'hangzhou', parent: null, level: 'city', title: text('杭州市', 'Hangzhou'),
    outline: [[120.078, 30.248], [120.128, 30.244], [120.172, 30.252], [120.178, 30.318], [120.128, 30.322], [120.078, 30.312]] },
  { name: 'hangzhou.xihu', parent: 'hangzhou', level: 'district', title: text('西湖区', 'Xihu'),
    outline: [[120.078, 30.248], [120.128, 30.244], [120.151, 30.249], [120.1495, 30.272], [120.148, 30.2985], [120.125, 30.301], [120.1, 30.305], [120.078, 30.304]] },
  { name: 'hangzhou.gongshu', parent: 'hangzhou', level: 'district', title: text('拱墅区', 'Gongshu'),
    outline: [[120.151, 30.249], [120.172, 30.252], [120.178, 30.318], [120.128, 30.322], [120.125, 30.301], [120.148, 30.2985], [120.1495, 30.272]] },
  { name: 'hangzhou.xihu.gudang', parent: 'hangzhou.xihu', level: 'street', title: text('古荡街道', 'Gudang'),
    outline: [[120.1, 30.264], [120.1265, 30.264], [120.1265, 30.2785], [120.1, 30.2785]] },
  { name: 'hangzhou.xihu.xixi', parent: 'hangzhou.xihu', level: 'street', title: text('西溪街道', 'Xixi'),
    outline: [[120.1265, 30.264], [120.1495, 30.264], [120.149, 30.2785], [120.1265, 30.2785]] },
  { name: 'hangzhou.xihu.cuiyuan', parent: 'hangzhou.xihu', level: 'street', title: text('翠苑街道', 'Cuiyuan'),
    outline: [[120.113, 30.2785], [120.149, 30.2785], [120.148, 30.2985], [120.125, 30.301], [120.113, 30.3025]] },
  { name: 'hangzhou.xihu.wenxin', parent: 'hangzhou.xihu', level: 'street', title: text('文新街道', 'Wenxin'),
    outline: [[120.08, 30.2785], [120.113, 30.2785], [120.113, 30.3025], [120.1, 30.305], [120.08, 30.304]] },
  { name: 'hangzhou.xihu.beishan', parent: 'hangzhou.xihu', level: 'street', title: text('北山街道', 'Beishan'),
    outline: [[120.12, 30.249], [120.151, 30.249], [120.1495, 30.264], [120.12, 30.264]] },
  { name: 'hangzhou.gongshu.mishixiang', parent: 'hangzhou.gongshu', level: 'street', title: text('米市巷街道', 'Mishixiang'),
    outline: [[120.1495, 30.276], [120.172, 30.276], [120.172, 30.2955], [120.148, 30.2955]] },
  { name: 'hangzhou.gongshu.hushu', parent: 'hangzhou.gongshu', level: 'street', title: text('湖墅街道', 'Hushu'),
    outline: [[120.148, 30.2955], [120.175, 30.2955], [120.175, 30.315], [120.13, 30.3185], [120.128, 30.301]] },
];

// name, class, lanes, limit km/h, points
const ROADS = [
  ['天目山路', 'primary', 4, 60, [[120.082, 30.2672], [120.1, 30.2684], [120.122, 30.2702], [120.138, 30.2712], [120.1555, 30.2718]]],
  ['文一路', 'primary', 3, 50, [[120.082, 30.2938], [120.105, 30.2925], [120.13, 30.2908], [120.149, 30.2898]]],
  ['文二路', 'secondary', 2, 50, [[120.098, 30.2862], [120.122, 30.2845], [120.149, 30.2832]]],
  ['文三路', 'primary', 3, 50, [[120.1, 30.2792], [120.122, 30.2778], [120.1495, 30.2768]]],
  ['西溪路', 'secondary', 2, 40, [[120.084, 30.2588], [120.1, 30.2605], [120.12, 30.2635], [120.132, 30.2668]]],
  ['曙光路', 'secondary', 2, 40, [[120.128, 30.2555], [120.137, 30.2605], [120.147, 30.2648]]],
  ['余杭塘路', 'secondary', 2, 50, [[120.085, 30.3012], [120.11, 30.2988], [120.132, 30.2968], [120.152, 30.2958]]],
  ['大关路', 'secondary', 2, 50, [[120.14, 30.3075], [120.16, 30.3062], [120.174, 30.3055]]],
  ['体育场路', 'secondary', 2, 40, [[120.1495, 30.2752], [120.162, 30.2735], [120.173, 30.2725]]],
  ['环城北路', 'primary', 3, 50, [[120.1555, 30.2718], [120.165, 30.2768], [120.174, 30.2782]]],
  ['丰潭路', 'secondary', 2, 50, [[120.1045, 30.2685], [120.105, 30.2858], [120.1055, 30.2992]]],
  ['古翠路', 'primary', 3, 50, [[120.1218, 30.2702], [120.1222, 30.2845], [120.1228, 30.2978]]],
  ['万塘路', 'secondary', 2, 40, [[120.1135, 30.2695], [120.114, 30.285], [120.1145, 30.2985]]],
  ['学院路', 'primary', 3, 50, [[120.1302, 30.2708], [120.1306, 30.284], [120.131, 30.297]]],
  ['教工路', 'secondary', 3, 50, [[120.1385, 30.2712], [120.1388, 30.2836], [120.1392, 30.2962]]],
  ['黄龙路', 'secondary', 2, 40, [[120.1345, 30.2595], [120.1365, 30.2655], [120.1385, 30.2712]]],
  ['杭大路', 'secondary', 2, 40, [[120.143, 30.2628], [120.1435, 30.2714]]],
  ['保俶路', 'secondary', 2, 40, [[120.1475, 30.2585], [120.1482, 30.2652], [120.1492, 30.2768], [120.149, 30.2832]]],
  ['莫干山路', 'primary', 4, 60, [[120.1555, 30.2718], [120.1525, 30.2825], [120.149, 30.2915], [120.1435, 30.3045], [120.138, 30.3155]]],
  ['湖墅南路', 'secondary', 3, 50, [[120.1585, 30.2738], [120.158, 30.2865], [120.1565, 30.2985], [120.155, 30.3125]]],
  ['中山北路', 'secondary', 2, 40, [[120.1645, 30.2528], [120.1648, 30.2662], [120.165, 30.2768]]],
  ['环城西路', 'secondary', 2, 40, [[120.1545, 30.2558], [120.1552, 30.2642], [120.1555, 30.2718]]],
];

const EN = { 西湖: 'West Lake', 京杭大运河: 'Grand Canal', 西溪湿地: 'Xixi Wetland', 宝石山: 'Baoshi Hill', 老和山: 'Laohe Hill' };
export const GROUND = {
  type: 'FeatureCollection',
  features: [
    ['lake', '西湖', [[120.128, 30.2405], [120.1345, 30.2495], [120.1405, 30.2545], [120.1475, 30.2568], [120.1535, 30.2548], [120.1555, 30.2478], [120.1538, 30.2395], [120.14, 30.236]]],
    ['canal', '京杭大运河', [[120.1368, 30.3205], [120.1452, 30.3105], [120.1535, 30.3048], [120.1605, 30.2985], [120.1628, 30.2865], [120.1702, 30.2838], [120.1704, 30.2848], [120.1636, 30.2878], [120.1614, 30.2992], [120.1541, 30.3058], [120.1462, 30.3112], [120.1379, 30.3212]]],
    ['wetland', '西溪湿地', [[120.079, 30.2622], [120.0905, 30.2612], [120.0925, 30.2655], [120.0895, 30.2755], [120.079, 30.2772]]],
    ['hill', '宝石山', [[120.1365, 30.2562], [120.1425, 30.2575], [120.1468, 30.2595], [120.1462, 30.2618], [120.1395, 30.2602]]],
    ['hill', '老和山', [[120.1045, 30.2532], [120.1165, 30.2545], [120.1188, 30.2602], [120.1078, 30.2598]]],
  ].map(([kind, name, ring]) => ({ type: 'Feature', properties: { kind, title_zh: name, title_en: EN[name] }, geometry: { type: 'Polygon', coordinates: [[...ring, ring[0]]] } })),
};

const metres = ([ax, ay], [bx, by]) => Math.hypot((bx - ax) * 96100, (by - ay) * 111300);
const isInside = ([x, y], ring) => {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i];
    const [xj, yj] = ring[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
};
const areaAt = (place) => (AREAS.find((a) => a.level === 'street' && isInside(place, a.outline)) ??
  AREAS.find((a) => a.level === 'district' && isInside(place, a.outline)) ?? AREAS[0]).name;

/** Directed edges of about 350 m, there and back. */
export const EDGES = ROADS.flatMap(([road, cls, lanes, limit, line], r) => {
  const points = [line[0]];
  for (let i = 1; i < line.length; i++) {
    const n = Math.max(1, Math.round(metres(line[i - 1], line[i]) / 350));
    for (let k = 1; k <= n; k++) {
      points.push([line[i - 1][0] + ((line[i][0] - line[i - 1][0]) * k) / n, line[i - 1][1] + ((line[i][1] - line[i - 1][1]) * k) / n]);
    }
  }
  return points.slice(1).flatMap((to, i) => [[points[i], to, ''], [to, points[i], '-']].map(([a, b, sign]) => ({
    edge: `${sign}r${r}_${i}`, road, class: cls, lanes, speed_limit_mps: limit / 3.6, length_m: metres(a, b),
    area: areaAt([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]), line: [a, b], seed: r * 7.3 + i * 0.9 + (sign ? 2.1 : 0),
  })));
});

export const ROAD_GEOJSON = {
  type: 'FeatureCollection',
  features: EDGES.map(({ line, seed, ...properties }) => ({ type: 'Feature', properties, geometry: { type: 'LineString', coordinates: line } })),
};

const cameraNames = ['文一路古翠路口', '天目山路学院路口', '莫干山路文三路口'];
export const CAMERAS = EDGES.filter((e, i) => i % 5 === 0).slice(0, 64).map((e, i) => ({
  party: 'hangzhou/police', source: `330106000011900${String(i + 1).padStart(5, '0')}`, area: e.area,
  title: text(cameraNames[i] ?? `${e.road} ${i + 1} 号机`, cameraNames[i] ?? `${e.road} no. ${i + 1}`),
  lon: e.line[0][0] * 0.4 + e.line[1][0] * 0.6, lat: e.line[0][1] * 0.4 + e.line[1][1] * 0.6,
}));

const within = (area, root) => area === root || area.startsWith(`${root}.`);
const hourOf = (ms) => ((ms / 3600e3 + 8) % 24 + 24) % 24;
const bump = (h, at, wide) => Math.exp(-(((h - at) / wide) ** 2));
/** Demand of the day, 0 to 1. */
export const demand = (ms) => {
  const h = hourOf(ms);
  return 0.08 + 0.9 * Math.min(1, 0.95 * bump(h, 8.3, 1.5) + 0.55 * bump(h, 13, 3.2) + 1.0 * bump(h, 18, 1.8) + 0.22 * bump(h, 21.5, 2));
};

const LEVELS = [['畅通', 'Free'], ['基本畅通', 'Mostly free'], ['轻度拥堵', 'Slow'], ['中度拥堵', 'Congested'], ['严重拥堵', 'Jammed']];
const LEAST_KMH = { primary: [40, 30, 20, 15], secondary: [35, 25, 15, 10] };
const levelOf = (cls, mps) => (LEAST_KMH[cls] ?? LEAST_KMH.secondary).filter((least) => mps * 3.6 < least).length;

/** What the road usually is at this time: two of the made-up roads are slower than that, some are being learned. */
const usualOf = (road, now, ms) => {
  const at = [...road].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 7;
  if (at === 6) return { delay_index: null, state: 'learning', since: null, days: 3 };
  const isSlower = at === 4 && now > 1.3;
  return { delay_index: +Math.max(1, now * (isSlower ? 0.55 : 0.94 + 0.02 * at)).toFixed(2), state: isSlower ? 'slower' : 'usual', since: isSlower ? ms - 17 * 60e3 : null, days: 12 };
};

export function edgeState(e, ms) {
  if (e.seed % 11 < 0.5) return [e.edge, null, null, 0, null];
  const wave = 0.5 + 0.5 * Math.sin(ms / 41e3 + e.seed * 3) * Math.sin(ms / 173e3 + e.seed);
  const load = demand(ms) * (e.class === 'primary' ? 1 : 0.75);
  const delay = 1.04 + Math.max(0, load * (0.3 + 1.9 * wave * ((e.seed * 1.7) % 1.9) ** 1.3));
  const speed = +((e.speed_limit_mps * 0.92) / delay).toFixed(2);
  return [e.edge, speed, +delay.toFixed(3), Math.round(load * (250 + 520 * e.lanes * (0.5 + wave / 2))), levelOf(e.class, speed)];
}

export function truth(area, ms) {
  const share = EDGES.filter((e) => within(e.area, area)).reduce((s, e) => s + e.length_m * e.lanes, 0) /
    EDGES.reduce((s, e) => s + e.length_m * e.lanes, 0);
  return Math.round(share * (5200 * demand(ms) + 40 * Math.sin(ms / 9e3 + area.length) + 25 * Math.sin(ms / 3.7e3)));
}

export function figures(area, ms) {
  const states = EDGES.filter((e) => within(e.area, area)).map((e) => [e, ...edgeState(e, ms).slice(1)]).filter((s) => s[1] !== null);
  const sum = (f) => states.reduce((s, x) => s + f(x), 0);
  const true_n = truth(area, ms);
  const flow = sum(([, , , q]) => q);
  const counted = Math.max(0, Math.round(true_n * (0.982 + 0.012 * Math.sin(ms / 17e3)) + 3 * Math.sin(ms / 2e3)));
  return {
    vehicles_in_transit: counted,
    vehicles_in_transit_low: Math.round(counted * 0.94),
    vehicles_in_transit_high: Math.round(counted * 1.06 + 3),
    vehicles_true: true_n,
    delay_index: flow ? +(sum(([, , d, q]) => d * q) / flow).toFixed(3) : null,
    mean_speed: flow ? +(sum(([, v, , q]) => v * q * 3.6) / flow).toFixed(2) : null,
    congestion_index: states.length ? +Math.min(10, (states.filter(([e, v]) => levelOf(e.class, v) === 4).length / states.length) * 40).toFixed(1) : null,
    vehicle_km: states.length ? Math.round(sum(([e, , , q]) => (q * e.length_m) / 1000)) : null,
    flow: states.length ? Math.round((flow / states.length) * 22) : null,
    ...zoneFigures(area, ms),
  };
}

// Two made-up zones, a district each.
const ZONE_LIST = [
  { zone: 'xixi', area: 'hangzhou.xihu', zh: '西溪限行区', en: 'Xixi restricted zone', size: 1, ring: [[120.115, 30.2705], [120.148, 30.2718], [120.1478, 30.2895], [120.116, 30.2915]] },
  { zone: 'canal', area: 'hangzhou.gongshu', zh: '运河限行区', en: 'Canal restricted zone', size: 0.4, ring: [[120.15, 30.277], [120.166, 30.276], [120.168, 30.293], [120.152, 30.296]] },
];
export const ZONE_GEOJSON = {
  type: 'FeatureCollection',
  features: ZONE_LIST.map(({ zone, area, zh, en, ring }) => ({ type: 'Feature', properties: { kind: 'zone', zone, area, zh, en }, geometry: { type: 'Polygon', coordinates: [[...ring, ring[0]]] } })),
};
const CLASS_SHARE = { local: 0.72, province: 0.16, other: 0.1, special: 0.02 };

/** Of a zone by class of plates; the four classes add up to all, and new energy lies across them. */
function zoneClasses(size, ms) {
  const day = hourOf(ms) / 24;
  const of = (row) => {
    const parts = Object.entries(CLASS_SHARE).map(([name, share], i) => [name, Math.round(share * size * (row === 'now' ? 900 * demand(ms) + 30 * Math.sin(ms / 11e3 + i) : 21000 * day))]);
    const all = parts.reduce((s, [, n]) => s + n, 0);
    return Object.fromEntries([['all', all], ...parts, ['new_energy', Math.round(all * 0.38)]]);
  };
  const [now, today] = [of('now'), of('today')];
  const estimate = (value) => ({ value, low: null, high: null });
  return Object.keys(now).map((name) => ({ class: name, now: estimate(now[name]), today: estimate(today[name]) }));
}

export function zoneStates(area, ms, receipt) {
  return { area, time: ms, zones: ZONE_LIST.filter((z) => within(z.area, area)).map(({ zone, area: of, size }) => (
    { zone, area: of, time: ms, stale_since: null, missing_since: null, breaches: Math.round(size * 5), receipt, classes: zoneClasses(size, ms) })) };
}

/** An area's own: who drives in both zones is one vehicle. */
function zoneFigures(area, ms) {
  const { zones } = zoneStates(area, ms, '');
  if (!zones.length) return {};
  const share = zones.length > 1 ? 0.93 : 1;
  const sum = (name, row) => Math.round(share * zones.reduce((s, z) => s + z.classes.find((c) => c.class === name)[row].value, 0));
  return { zone_now: sum('all', 'now'), zone_now_local: sum('local', 'now'), zone_now_province: sum('province', 'now'), zone_now_other: sum('other', 'now'),
    zone_today: sum('all', 'today'), zone_today_local: sum('local', 'today'), zone_today_province: sum('province', 'today'), zone_today_other: sum('other', 'today'),
    zone_today_new_energy: sum('new_energy', 'today'), zone_breaches: zones.reduce((s, z) => s + z.breaches, 0), zone_checks_waiting: 0 };
}

/** Waits where made-up roads cross. */
export function junctions(area, ms, limit) {
  const crossing = (i) => [ROADS[i % ROADS.length][0], ROADS[(i * 5 + 3) % ROADS.length][0]];
  return Array.from({ length: 14 }, (_, i) => {
    const [a, b] = crossing(i);
    const wait = 18 + demand(ms) * (90 - i * 4) * (0.8 + 0.2 * Math.sin(ms / 61e3 + i * 2));
    return { junction: `J${i}`, title: `${a} / ${b}`, area, lon: 120.1 + i * 0.004, lat: 30.26 + i * 0.003, delay_s: +wait.toFixed(1), delay_index: +(1 + wait / 40).toFixed(2), n: 30 + i,
      made_by: 'delay.junction/1' };
  }).sort((x, y) => y.delay_s - x.delay_s).slice(0, limit);
}

export function ranking(area, ms, limit) {
  const roads = new Map();
  for (const e of EDGES.filter((x) => within(x.area, area))) {
    const [, v, d, q] = edgeState(e, ms);
    if (v === null) continue;
    const r = roads.get(e.road) ?? { road: e.road, class: e.class, s: 0, t: 0, free: 0, q: 0, n: 0 };
    r.s += e.length_m;
    r.t += e.length_m / v;
    r.free += e.length_m / v / d;
    r.q += q;
    r.n += 1;
    roads.set(e.road, r);
  }
  return [...roads.values()].map((r) => {
    const level = levelOf(r.class, r.s / r.t);
    return { road: r.road, speed_mps: +(r.s / r.t).toFixed(2), delay_index: +(r.t / r.free).toFixed(3), flow_vph: Math.round(r.q / r.n), length_m: Math.round(r.s),
      vehicle_km_ph: Math.round((r.q / r.n) * r.s / 1000), vehicles: { value: r.n * 14, low: r.n * 5, high: r.n * 23 }, n: r.n * 12, sources: r.n % 3 ? ['camera'] : ['camera', 'gps'], level, levels: LEVELS.length, level_title: { zh: LEVELS[level][0], en: LEVELS[level][1] }, made_by: 'hangzhou.traffic/1', usual: usualOf(r.road, r.t / r.free, ms) };
  }).sort((a, b) => b.delay_index - a.delay_index).slice(0, limit);
}
