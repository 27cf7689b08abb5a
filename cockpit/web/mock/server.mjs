// MOCK, for development and tests only: `node mock/server.mjs [PORT] [--dist DIR]`. Speaks the cockpit's interface with moving
// made-up figures and a small signed log of its own (mock/log.mjs), so that the screens can be built and tested without a brain.
// Sign-in: mayor / citybrain-demo, or gudang / citybrain-demo (a street's post). Its switches, for the tests:
//   POST /mock/stale   the sources fall silent     POST /mock/fresh   they come back
//   POST /mock/cut     live streams are cut off    POST /mock/forge   the log alters a leaf after signing
import { createServer } from 'node:http';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AREAS, CAMERAS, EDGES, GROUND, ROAD_GEOJSON, edgeState, figures, junctions, ranking, zoneStates, ZONE_GEOJSON } from './city.mjs';
import { MockLog } from './log.mjs';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };
const text = (zh, en) => ({ zh, en });

// As city/hangzhou/cockpits/indicators.yaml says it.
const COUNTED = 'hangzhou/scene.count/indicator';
const indicator = (name, title, unit, decimals, definition, formula, version, words, resource = COUNTED) =>
  ({ name, title: text(...title), unit: text(...unit), decimals, definition: text(...definition), formula: { name: formula, version, text: text(...words) }, resource });
const ZONES = 'hangzhou/scene.zone/indicator';
const ZONE_INDICATORS = [
  ['zone_now', '限行区内车辆', 'Vehicles in the zone'],
  ['zone_now_local', '区内:本地号牌', 'In the zone: local plates'],
  ['zone_now_province', '区内:省内外市', 'In the zone: rest of the province'],
  ['zone_now_other', '区内:外省', 'In the zone: other provinces'],
  ['zone_today', '今日到过限行区', 'Through the zone today'],
  ['zone_today_local', '今日到过:本地号牌', 'Today: local plates'],
  ['zone_today_province', '今日到过:省内外市', 'Today: rest of the province'],
  ['zone_today_other', '今日到过:外省', 'Today: other provinces'],
  ['zone_today_new_energy', '今日到过:新能源', 'Today: new energy'],
  ['zone_breaches', '今日无证进入', 'Breaches today'],
  ['zone_checks_waiting', '待核对通行证', 'Checks put off'],
];
const INDICATORS = [
  indicator('vehicles_in_transit', ['在途车辆', 'Vehicles in transit'], ['辆', 'vehicles'], 0,
    ['此刻已开始而尚未结束一次出行的机动车数,等灯、排队的也算,停放的不算。由卡口过车推断,不是逐车定位。', 'Motor vehicles whose trip has begun and not yet ended at this moment; waiting at lights or in queues counts, parked does not. Inferred from camera passages, not from tracking each vehicle.'],
    'count.balance', 2, ['每次过车都应以一定比例再次被拍到:应再现而尚未再现的,无论排队多久,都在途;比例由早已通过的过车学得;不排队时也由距上次被拍到的时间判断。另加最后一次被拍到后尚未到达的,和已上路而尚未被拍到的。见 docs/count.md。', 'A known share of passages is followed by the next sighting, learned where all have come through: those that must come and have not are in transit, however long they queue; where queues do not grow, how long ago each was sighted tells, too; and those on their way after the last camera, and those on the road not yet seen. See docs/count.md.']),
  ...[['low', '下限', 'at least', '下限', 'lower'], ['high', '上限', 'at most', '上限', 'upper']].map(([end, zh, en, end_zh, end_en]) =>
    indicator(`vehicles_in_transit_${end}`, [`在途车辆(${zh})`, `Vehicles in transit, ${en}`], ['辆', 'vehicles'], 0,
      [`在途车辆数 90% 区间的${end_zh}。`, `The ${end_en} end of the 90 % interval of the vehicles in transit.`],
      'count.balance', 2, ['正态分布的 90%,方差含偶然、再现比例及尚未被拍到者的误差。见 docs/count.md。', '90 % of a normal distribution whose variance holds chance, the share of those sighted again, and those not yet seen. See docs/count.md.'])),
  indicator('delay_index', ['延误指数', 'Delay index'], ['倍', 'times'], 2,
    ['实际行程时间与自由流行程时间之比,含路口等待。1 为畅通。公式为本项目所选,非杭州公布的公式。', 'Actual over free-flow travel time, waiting at junctions included; 1 is free flow. The formula is this project\'s choice, not one that Hangzhou published.'],
    'hangzhou.traffic', 1, ['各车两相机间行程时间之和除以自由流行程时间之和,按车公里加权到区域。见 city/hangzhou/indices/traffic.yaml。', 'Sum of the vehicles\' times between cameras over the sum of their free-flow times, weighted to an area by vehicle-kilometres. See city/hangzhou/indices/traffic.yaml.']),
  indicator('congestion_index', ['拥堵指数', 'Congestion index'], ['/10', '/10'], 1,
    ['严重拥堵的道路里程占有观测道路里程的比例(快速路、主干路、次干路与支路按车公里加权),换算到 0 至 10:0 为畅通,10 为最堵。分级速度与换算点是本城市文件中的设置。', 'Share of the observed roads\' length that is jammed (expressways, arterials and other roads weighted by vehicle-kilometres), put on a scale from 0, free, to 10. Speeds of the levels and points of the scale are settings in the city\'s files.'],
    'hangzhou.traffic', 1, ['各等级道路的严重拥堵里程比例按车公里加权求和,再按 city/hangzhou/indices/traffic.yaml 中的折线换算。', 'Share of jammed length of each class of road, weighted by vehicle-kilometres, then drawn through the points of city/hangzhou/indices/traffic.yaml.']),
  indicator('vehicle_km', ['车公里', 'Vehicle-kilometres'], ['车公里/时', 'veh·km/h'], 0,
    ['有观测的路段上,所有车辆每小时行驶里程之和。没有观测的路段不在内。', 'Kilometres that all vehicles together drive in an hour on the observed roads; roads that nothing observes are not in it.'],
    'vkt.observed', 2, ['各有观测路段的流量乘以长度,求和;没有线圈的路段按线圈与卡口所知车辆之比放大。', 'Flow times length of each observed edge, summed; edges without a loop are scaled by the loops over what cameras know of the same edges.']),
  indicator('mean_speed', ['平均车速', 'Mean speed'], ['公里/时', 'km/h'], 1,
    ['相机之间行驶的平均速度,含等待时间。', 'Mean speed of travel between cameras, waiting included.'],
    'speed.space_mean', 2, ['行驶里程之和除以行程时间之和。', 'Sum of distances over sum of travel times.']),
  indicator('flow', ['路段流量', 'Road flow'], ['辆/时', 'veh/h'], 0,
    ['有观测的路段上每小时通过的车辆数,按路段长度平均。', 'Vehicles an hour on the roads that were observed, averaged by their length.'],
    'flow.mean', 2, ['各路段在约两分钟的渐忘窗口内的过车数折算到每小时,有线圈处取线圈的流量,再按路段长度平均;没有线圈的路段按线圈与卡口所知车辆之比放大。', 'Passages of each edge in a window that fades with two minutes, scaled to an hour, or its induction loops\' flow, averaged by the length of the edges; edges without a loop are scaled by the loops over what cameras know of the same edges.']),
  indicator('vehicles_true', ['在途真值', 'True vehicles in transit'], ['辆', 'vehicles'], 0,
    ['模拟世界中此刻真正在路上的车辆数。只为对照而显示,计数不使用它;真实城市没有这个数。', 'Vehicles really on the road in the simulated world. Shown beside the count only; the count never uses it, and a real city does not have it.'],
    'world.truth', 1, ['模拟器自己的计数。', 'The simulator\'s own count.'], 'hangzhou/world/truth'),
  ...ZONE_INDICATORS.map(([name, zh, en]) => indicator(name, [zh, en], ['辆', 'vehicles'], 0, ['模拟数据。', 'Made up.'], 'zone.now', 1, ['见 docs/zone.md。', 'See docs/zone.md.'], ZONES)),
];

const PEOPLE = {
  mayor: { person: 'mayor', party: 'hangzhou/post.mayor', for: 'hangzhou/post.mayor', roles: ['audit'], citizen: false, area: 'hangzhou', level: 'city', title: text('市长值守', 'Mayor’s office') },
  gudang: { person: 'gudang', party: 'hangzhou/post.gudang', for: 'hangzhou/post.gudang', roles: [], citizen: false, area: 'hangzhou.xihu.gudang', level: 'street', title: text('古荡街道值班', 'Gudang duty desk') },
};

const within = (area, root) => area === root || area.startsWith(`${root}.`);

/** Starts the mock; { url, close }. MOCK_TICK_MS makes its seconds shorter, for soak tests. */
export async function startMock({ port = 0, dist = join(dirname(fileURLToPath(import.meta.url)), '../dist'), usual = true, tickMs = Number(process.env.MOCK_TICK_MS ?? 1000) } = {}) {
  const log = new MockLog('hangzhou.log');
  const sessions = new Map();
  const lives = new Set();
  const started = Date.now();
  let silentSince = null;
  let receipt = null;

  const now = () => silentSince ?? Date.now();
  const openWindow = () => {
    for (const resource of ['hangzhou/scene.count/indicator', 'hangzhou/police/passage', 'hangzhou/world/truth', 'hangzhou/scene.zone/indicator']) {
      const index = log.append({ consumer: 'hangzhou/cockpit', contract: contractOf(resource), contract_sha256: 'b7d1…', fields_sha256: '04ce…',
        nonce: Math.random().toString(16).slice(2), provider: resource.slice(0, resource.lastIndexOf('/')), purpose: 'cockpit.show', resource, rule: 0, time_ms: Date.now(),
        type: 'intent', use: 'subscribe' });
      receipt = { ...receipt, [resource]: `hangzhou.log/${index}` };
    }
  };
  const contractOf = (resource) => ({ 'hangzhou/scene.count/indicator': 'hangzhou/c-7', 'hangzhou/police/passage': 'hangzhou/c-1' })[resource] ?? 'hangzhou/c-9';
  for (let i = 0; i < 300; i++) openWindow();
  log.publish();
  const timers = [setInterval(openWindow, 10_000), setInterval(() => log.publish(), 1000)];
  openWindow();

  const live = (area, spec, known = figures(area, now())) => {
    const isStale = silentSince !== null && Date.now() - silentSince > 5000;
    const value = known[spec.name] ?? null;
    const state = value === null ? 'none' : isStale ? 'stale' : spec.name === 'delay_index' && value > 2.1 ? 'amber' : 'calm';
    return { name: spec.name, area, value: isStale ? null : value, time: now(), stale: isStale, stale_since: isStale ? silentSince : null, receipt: receipt[spec.resource], state, period_ms: 1000, n: 1284, usual: null };
  };
  const sources = (area) => {
    const time = Date.now();
    return { time, sources: CAMERAS.filter((c) => within(c.area, area)).map((c, i) => {
      const health = silentSince && time - silentSince > 6000 ? 'stale' : i === 17 ? 'down' : i % 23 === 4 ? 'stale' : 'fresh';
      const since = silentSince ?? started - 41 * 60e3 * (i === 17 ? 5 : 1);
      return { ...c, health, last_heard: health === 'fresh' ? time - 1500 : since, since: health === 'fresh' ? started : since,
        detail: health === 'down' ? { code: 'unregistered', parameters: [] } : health === 'stale' ? { code: 'silent', parameters: ['60'] } : null };
    }) };
  };
  const history = (area, name) => {
    const from = Math.floor((Date.now() + 8 * 3600e3) / 86400e3) * 86400e3 - 8 * 3600e3;
    const points = [];
    for (let t = from; t < Date.now(); t += 120e3) points.push([t, t - from > 4 * 3600e3 && t - from < 4.3 * 3600e3 ? null : figures(area, t)[name]]);
    return { indicator: name, area, period_ms: 120e3, points };
  };
  const why = (area, spec) => {
    const v = live(area, spec);
    const isTruth = spec.name === 'vehicles_true';
    return { indicator: spec.name, area, title: spec.title, definition: spec.definition, unit: spec.unit,
      owner: { party: isTruth ? 'hangzhou/world' : 'hangzhou/police', title: isTruth ? text('仿真世界', 'Simulated world') : text('市公安局', 'Police') },
      decimals: spec.decimals, record_ms: 120e3, period_ms: 1000, value: v.value, time: v.time, stale: v.stale, n: 1284, formula: spec.formula, made_by: `${spec.formula.name}/${spec.formula.version}`,
      source: { resource: spec.resource, title: isTruth ? text('真值', 'Truth') : text('数数场景的指标', 'Indicators of the count scene'), provider: isTruth ? { party: 'hangzhou/world', title: text('仿真世界', 'Simulated world') } : { party: 'hangzhou/scene.count', title: text('数数', 'Count') } },
      contract: { id: contractOf(spec.resource), purpose: 'cockpit.show', legal_basis: text('《杭州城市大脑赋能城市治理促进条例》第十条', 'Hangzhou City Brain regulation, article 10'),
        fields: ['name', 'area', 'time', 'period_ms', 'value', 'n', 'stale_since', 'basis'], until: Date.UTC(2028, 0, 1) - 8 * 3600e3, keep_ms: 7 * 86400e3 },
      freshness: { age_ms: Date.now() - v.time, stale_after_ms: 10_000 },
      inputs: [{ resource: spec.resource, contract: contractOf(spec.resource), receipt: v.receipt },
        ...(isTruth ? [] : [{ resource: null, contract: null, receipt: receipt['hangzhou/police/passage'] }])], receipt: v.receipt };
  };

  const send = (res, status, body, headers = {}) => {
    const isJson = typeof body === 'object' && !Buffer.isBuffer(body);
    res.writeHead(status, { 'Content-Type': isJson ? 'application/json' : 'text/plain; charset=utf-8', 'Cache-Control': 'no-store', ...headers });
    res.end(isJson ? JSON.stringify(body) : body);
  };
  const problem = (res, status, title) => send(res, status, { type: 'about:blank', title, status }, { 'Content-Type': 'application/problem+json' });

  const stream = (res, area) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const say = (event, data) => res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    const shown = AREAS.filter((a) => a.name === area || a.parent === area).map((a) => a.name);
    let n = 0;
    const tick = () => {
      const values = shown.flatMap((a) => {
        const known = figures(a, now());
        return INDICATORS.map((spec) => live(a, spec, known));
      });
      say('indicators', { time: Date.now(), indicators: values });
      if (!silentSince || n === 0) {
        const part = n === 0 ? EDGES : EDGES.filter((_, i) => i % 3 === n % 3);
        say('road_states', { time: now(), edges: part.map((e) => edgeState(e, now())) });
        if (n % 2 === 0) say('ranking', { area, time: now(), roads: ranking(area, now(), 20) });
        say('zone_states', zoneStates(area, now(), receipt[ZONES]));
        if (n % 5 === 0) say('junctions', { area, time: now(), junctions: junctions(area, now(), 12) });
      }
      if (n % 4 === 0) say('sources', sources(area));
      if (n % 10 === 9) say('ping', {});
      if (n % 20 === 19 && !silentSince) for (const v of values.slice(0, INDICATORS.length)) say('recorded', { indicator: v.name, area, time: v.time, value: v.value, receipt: v.receipt });
      n++;
    };
    tick();
    const timer = setInterval(tick, tickMs);
    lives.add(res);
    res.on('close', () => { clearInterval(timer); lives.delete(res); });
  };

  const files = (res, path) => {
    const file = join(dist, normalize(path === '/' ? '/index.html' : path));
    if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) return problem(res, 404, 'not found');
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    if (existsSync(`${file}.gz`)) {
      res.writeHead(200, { 'Content-Type': type, 'Content-Encoding': 'gzip' });
      return createReadStream(`${file}.gz`).pipe(res);
    }
    res.writeHead(200, { 'Content-Type': type });
    return createReadStream(file).pipe(res);
  };

  const cockpit = (res, path, query, who) => {
    const area = query.get('area') ?? who.area;
    if (!AREAS.some((a) => a.name === area) || !within(area, who.area)) return problem(res, 404, 'no such area');
    const spec = INDICATORS.find((i) => i.name === query.get('indicator'));
    const time = now();
    switch (path) {
      case '/cockpit/v1/areas':
        return send(res, 200, AREAS.filter((a) => within(a.name, who.area) || within(who.area, a.name)).map((a) => (within(a.name, who.area) ? a : { ...a, outline: undefined })));
      case '/cockpit/v1/indicators':
        return send(res, 200, { area, time: Date.now(), indicators: INDICATORS.map((s) => {
          const { area: _, ...value } = live(area, s);
          return { ...value, title: s.title, unit: s.unit, decimals: s.decimals, record_ms: 120e3, stale_after_ms: 10_000,
            usual: usual && value.value !== null && s.name === 'vehicles_in_transit' ? Math.round(value.value / 1.082) : null, thresholds: null };
        }) });
      case '/cockpit/v1/history': return spec ? send(res, 200, history(area, spec.name)) : problem(res, 404, 'no such indicator');
      case '/cockpit/v1/why': return spec ? send(res, 200, why(area, spec)) : problem(res, 404, 'no such indicator');
      case '/cockpit/v1/junctions': return send(res, 200, { area, time, junctions: junctions(area, time, Number(query.get('limit') ?? 20)) });
      case '/cockpit/v1/ranking': return send(res, 200, { area, time, roads: ranking(area, time, Number(query.get('limit') ?? 20)) });
      case '/cockpit/v1/road_states': return send(res, 200, { time, edges: EDGES.map((e) => edgeState(e, time)) });
      case '/cockpit/v1/roads': return send(res, 200, ROAD_GEOJSON);
      case '/cockpit/v1/ground': return send(res, 200, GROUND);
      case '/cockpit/v1/zones': return send(res, 200, ZONE_GEOJSON);
      case '/cockpit/v1/zone_states': return send(res, 200, zoneStates(area, time, receipt[ZONES]));
      case '/cockpit/v1/sources': return send(res, 200, sources(area));
      case '/cockpit/v1/live': return stream(res, area);
      default: return problem(res, 404, 'no such route');
    }
  };

  const handle = async (req, res) => {
    const url = new URL(req.url, 'http://mock');
    const path = url.pathname;
    if (path.startsWith('/log/v1/')) {
      const a = log.answer(path);
      return send(res, a.status, a.body, a.status === 409 ? { 'Retry-After': '1' } : {});
    }
    if (path.startsWith('/mock/')) {
      if (path === '/mock/stale') silentSince ??= Date.now();
      if (path === '/mock/fresh') silentSince = null;
      if (path === '/mock/cut') for (const l of lives) l.destroy();
      if (path === '/mock/forge') for (const e of log.entries) e.writeUInt8(e.at(30) ^ 1, 30);
      return send(res, 200, {});
    }
    if (path === '/health') return send(res, 200, { status: 'ok', version: 'mock' });
    const cookie = /citybrain=(\w+)/.exec(req.headers.cookie ?? '')?.[1];
    const who = sessions.get(cookie);
    if (path === '/party/v1/session' && req.method === 'POST') {
      let body = '';
      for await (const chunk of req) body += chunk;
      const { name, password } = JSON.parse(body);
      if (!PEOPLE[name] || password !== 'citybrain-demo') return problem(res, 401, 'name or password is not right');
      const id = Math.random().toString(36).slice(2);
      sessions.set(id, { ...PEOPLE[name], city: { name: 'hangzhou', title: text('杭州', 'Hangzhou') }, time_zone: 'Asia/Shanghai' });
      return send(res, 200, sessions.get(id), { 'Set-Cookie': `citybrain=${id}; HttpOnly; SameSite=Strict; Path=/` });
    }
    if (path.startsWith('/party/') || path.startsWith('/cockpit/') || path.startsWith('/hub/')) {
      if (!who) return problem(res, 401, 'not signed in');
      if (path === '/party/v1/session' && req.method === 'DELETE') {
        sessions.delete(cookie);
        res.writeHead(204);
        return res.end();
      }
      if (path === '/party/v1/session') return send(res, 200, who);
      return cockpit(res, path, url.searchParams, who);
    }
    return files(res, path);
  };

  const server = createServer((req, res) => handle(req, res).catch((e) => problem(res, 500, String(e))));
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      timers.forEach(clearInterval);
      for (const l of lives) l.destroy();
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startMock({ port: Number(process.argv[2] ?? 8080) });
  console.log(`mock of the cockpit's interface on ${url} (mayor / citybrain-demo)`);
}
