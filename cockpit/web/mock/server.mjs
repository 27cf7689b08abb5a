// MOCK, for development and tests only: `node mock/server.mjs [PORT] [--dist DIR]`. Speaks the cockpit's interface with moving
// made-up figures and a small signed log of its own (mock/log.mjs), so that the screens can be built and tested without a brain.
// Sign-in: mayor / citybrain-demo, or gudang / citybrain-demo (a street's post). Its switches, for the tests:
//   POST /mock/stale   the sources fall silent     POST /mock/fresh   they come back
//   POST /mock/cut     live streams are cut off    POST /mock/forge   the log alters a leaf after signing
import { createServer } from 'node:http';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AREAS, CAMERAS, EDGES, GROUND, ROAD_GEOJSON, edgeState, figures, junctions, ranking } from './city.mjs';
import { MockLog } from './log.mjs';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };
const text = (zh, en) => ({ zh, en });

const INDICATORS = [
  { name: 'vehicles_in_transit', title: text('在途车辆', 'Vehicles in transit'), unit: text('辆', 'vehicles'), decimals: 0,
    definition: text('此刻在本区域道路上行驶、且尚未超过预期行程时间的机动车数量。', 'Motor vehicles on the roads of this area at this moment that have not yet exceeded the expected travel time.'),
    formula: { name: 'count.balance', version: 1, text: text('应再次被拍到而尚未再现的车辆，另加尚未被拍到的。', 'Vehicles that must be sighted again and were not yet, and those not yet seen.') },
    resource: 'hangzhou/scene.count/indicator' },
  { name: 'delay_index', title: text('延误指数', 'Delay index'), unit: text('', ''), decimals: 2,
    definition: text('实际行程时间与自由流行程时间之比，含路口等待；1 为畅通。', 'Actual over free-flow travel time, junction waiting included; 1 is free flow.'),
    formula: { name: 'delay.ratio', version: 1, text: text('各路段按流量加权平均。', 'Mean over the road sections, weighted by flow.') },
    resource: 'hangzhou/scene.count/indicator' },
  { name: 'congestion_index', title: text('拥堵指数', 'Congestion index'), unit: text('/10', '/10'), decimals: 1,
    definition: text('严重拥堵的道路里程比例，换算到 0 至 10。', 'Share of the roads’ length that is jammed, on a scale from 0 to 10.'),
    formula: { name: 'hangzhou.traffic', version: 1, text: text('各等级道路按车公里加权。', 'Classes of road weighted by vehicle-kilometres.') }, resource: 'hangzhou/scene.count/indicator' },
  { name: 'vehicle_km', title: text('车公里', 'Vehicle-kilometres'), unit: text('车公里/时', 'veh·km/h'), decimals: 0,
    definition: text('有观测的路段上所有车辆每小时行驶里程之和。', 'Kilometres that all vehicles drive in an hour on the observed roads.'),
    formula: { name: 'vkt.observed', version: 1, text: text('流量乘以长度。', 'Flow times length.') }, resource: 'hangzhou/scene.count/indicator' },
  { name: 'mean_speed', title: text('平均车速', 'Mean speed'), unit: text('km/h', 'km/h'), decimals: 1,
    definition: text('近两分钟内观测到的行程车速，按流量加权。', 'Travel speed observed in the last two minutes, weighted by flow.'),
    formula: { name: 'speed.space_mean', version: 1, text: text('行驶里程之和除以行驶时间之和。', 'Sum of distances over sum of travel times.') },
    resource: 'hangzhou/scene.count/indicator' },
  { name: 'flow', title: text('流量', 'Flow'), unit: text('辆/时', 'veh/h'), decimals: 0,
    definition: text('近两分钟过车数折合每小时。', 'Passages of the last two minutes, per hour.'),
    formula: { name: 'flow.sum', version: 1, text: text('过车数乘以三十。', 'Passages times thirty.') }, resource: 'hangzhou/scene.count/indicator' },
  { name: 'vehicles_true', title: text('仿真真值', 'Simulation truth'), unit: text('辆', 'vehicles'), decimals: 0,
    definition: text('仿真世界中此刻确实在路上的车辆数，只作对照。', 'Vehicles that are truly on the roads of the simulated world; for comparison only.'),
    formula: { name: 'world.count', version: 1, text: text('由仿真世界直接给出。', 'Given by the simulated world itself.') }, resource: 'hangzhou/world/truth' },
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
    for (const resource of ['hangzhou/scene.count/indicator', 'hangzhou/police/passage', 'hangzhou/world/truth']) {
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

  const live = (area, spec) => {
    const isStale = silentSince !== null && Date.now() - silentSince > 5000;
    const value = figures(area, now())[spec.name];
    const state = isStale ? 'stale' : spec.name === 'delay_index' && value > 2.1 ? 'amber' : 'calm';
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
      const values = shown.flatMap((a) => INDICATORS.map((spec) => live(a, spec)));
      say('indicators', { time: Date.now(), indicators: values });
      if (!silentSince || n === 0) {
        const part = n === 0 ? EDGES : EDGES.filter((_, i) => i % 3 === n % 3);
        say('road_states', { time: now(), edges: part.map((e) => edgeState(e, now())) });
        if (n % 2 === 0) say('ranking', { area, time: now(), roads: ranking(area, now(), 20) });
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
      case '/cockpit/v1/zones': return send(res, 200, { type: 'FeatureCollection', features: [] });
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
