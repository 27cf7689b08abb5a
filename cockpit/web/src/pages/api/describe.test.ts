import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { routeWords, tagWords, worded } from '../../i18n/routes';
import { branchesOf, canTry, curlOf, exampleOf, groupsOf, limitsOf, missingOf, resolve, routesOf, targetOf, typeOf } from './describe';
import type { Description, Schema } from './describe';

const doc = JSON.parse(readFileSync('../../docs/openapi.json', 'utf8')) as Description;
const routes = routesOf(doc);
const route = (id: string): (typeof routes)[number] => routes.find((r) => r.id === id)!;

describe('the description of the interface', () => {
  it('has words in both languages for every route and group, and none for routes that are gone', () => {
    const missing = routes.filter((r) => !/\p{Script=Han}/u.test(routeWords(r.id)?.zh ?? '')).map((r) => r.id);
    expect(missing, 'src/i18n/routes.ts needs a line for').toEqual([]);
    expect(worded.filter((id) => !routes.some((r) => r.id === id || (id.endsWith('/') && r.id.startsWith(id)))), 'words of routes that are gone').toEqual([]);
    for (const tag of new Set(routes.map((r) => r.tag))) expect(tagWords[tag]?.zh && tagWords[tag]?.en, tag).toBeTruthy();
  });

  it('is found by words of either language', () => {
    const all = groupsOf(routes, '', () => '');
    expect(all.reduce((n, g) => n + g.routes.length, 0)).toBe(routes.length);
    const ids = (question: string): string[] => groupsOf(routes, question, (r) => routeWords(r.id)?.zh ?? '').flatMap((g) => g.routes.map((r) => r.id));
    expect(ids('CATALOG get')).toContain('get /hub/v1/catalog');
    expect(ids('目录')).toContain('get /hub/v1/catalog');
    expect(ids('no such thing')).toEqual([]);
  });

  it('says who may ask, and what can be tried here', () => {
    const access = (id: string): string => `${route(id).access} ${canTry(route(id))}`;
    expect(access('get /health')).toBe('public true');
    expect(access('post /hub/v1/query')).toBe('session true');
    expect(access('post /VIID/MotorVehicles')).toBe('digest false');
    expect(access('get /hub/v1/subscribe/{area}/{party}/{name}')).toBe('session false'); // it never ends
    expect(access('get /cockpit/v1/live')).toBe('official false');
    expect(access('get /cockpit/v1/zones')).toBe('official true');
    expect(access('get /hub/v1/uses/mine')).toBe('citizen false'); // who sees this page is none
    expect(access('delete /party/v1/session')).toBe('session false');
    expect(access('post /party/v1/session')).toBe('public false');
    expect(access('get /party/v1/session')).toBe('session true');
  });
});

describe('a schema', () => {
  it('is one line of type and a line a limit', () => {
    const lines: [Schema, string][] = [[{ $ref: '#/components/schemas/Ms' }, 'Ms'], [{ enum: ['a', 'b'] }, '"a" | "b"'], [{ const: 1 }, '1'], [{ type: ['string', 'null'] }, 'string | null'],
      [{ type: 'array', items: { $ref: '#/components/schemas/Field' } }, 'Field[]'], [{ type: 'array', items: { enum: [1, 2] } }, '(1 | 2)[]'], [{}, 'any'],
      [{ anyOf: [{ $ref: '#/x/Ms' }, { type: 'null' }] }, 'Ms | null'], [{ type: 'array', prefixItems: [{ type: 'string' }, { type: 'number' }] }, '[string, number]'],
      [{ allOf: [{ $ref: '#/x/A' }, { $ref: '#/x/B' }] }, 'A & B']];
    for (const [schema, text] of lines) expect(typeOf(schema)).toBe(text);
    expect(limitsOf({ minimum: 0, maxItems: 64, pattern: '^a$' })).toEqual(['≥ 0', 'items ≤ 64', '^a$']);
  });

  it('has its members, its items and its forms as branches; every one of the description can be walked', () => {
    const names = branchesOf(doc.components.schemas.Call!).map((b) => b.name + (b.required ? '!' : ''));
    expect(names).toEqual(['purpose!', 'key!', 'fields!', 'contract']);
    let n = 0;
    const walk = (schema: Schema, depth: number): void => {
      n++;
      expect(typeOf(schema)).not.toBe('');
      if (depth < 5) for (const b of branchesOf(resolve(doc, schema))) walk(b.schema, depth + 1);
    };
    for (const schema of Object.values(doc.components.schemas)) walk(schema, 0);
    expect(n).toBeGreaterThan(500);
  });

  it('gives an example of every body, and its own where it has one', () => {
    expect(exampleOf(doc, { $ref: '#/components/schemas/Call' })).toMatchObject({ purpose: 'parking.settle' });
    expect(exampleOf(doc, { $ref: '#/components/schemas/Objection' })).toMatchObject({ receipt: 'hangzhou.log/48211' });
    for (const r of routes) if (r.body) expect(exampleOf(doc, r.body), r.id).toBeTypeOf('object');
    expect(exampleOf(doc, { $ref: '#/components/schemas/Correction' })).toEqual({ resource: 'hangzhou/police/vehicle', what: '' });
    const loop: Description = { ...doc, components: { schemas: { A: { type: 'object', required: ['a'], properties: { a: { $ref: '#/A' } } } } } };
    expect(JSON.stringify(exampleOf(loop, { $ref: '#/A' })).length).toBeLessThan(100);
  });
});

describe('a request', () => {
  it('has its values where they belong, encoded; what is missing stays visible', () => {
    const call = route('post /hub/v1/call/{area}/{party}/{name}');
    expect(targetOf(call, { area: 'hangzhou', party: 'a b' })).toBe('/hub/v1/call/hangzhou/a%20b/{name}');
    expect(missingOf(call, { area: 'hangzhou', party: 'a b' })).toEqual(['name']);
    expect(targetOf(route('get /log/v1/tile/{rest}'), { rest: 'entries/000' })).toBe('/log/v1/tile/entries/000');
    expect(targetOf(route('get /cockpit/v1/why'), { indicator: '流量', area: '' })).toBe('/cockpit/v1/why?indicator=%E6%B5%81%E9%87%8F');
  });

  it('is a line for a shell that says the same, whatever stands in it', () => {
    const line = (id: string, values = {}, body = ''): string => curlOf(route(id), 'http://h', values, body);
    expect(line('get /health')).toBe("curl -sS 'http://h/health'");
    expect(line('post /hub/v1/query', {}, `{"sql":"SELECT 'x'"}`)).toBe(`curl -sS -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"sql":"SELECT '\\''x'\\''"}' 'http://h/hub/v1/query'`);
    expect(line('get /cockpit/v1/live')).toBe("curl -sS -N -b cookies 'http://h/cockpit/v1/live'");
    expect(line('delete /party/v1/session')).toContain('-X DELETE');
    expect(line('get /VIID/System/Time')).toContain('--digest');
  });
});
