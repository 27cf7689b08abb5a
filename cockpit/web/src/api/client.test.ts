import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { generate } from '../../tools/api.mjs';

vi.stubGlobal('location', { origin: 'http://brain.test' });
const { answer, api, Failure } = await import('./client');
const { readContract, takeStep } = await import('./contracts');

const asked: Request[] = [];
const answers = (status: number, body: string): void => {
  vi.stubGlobal('fetch', (request: Request) => {
    asked.push(request);
    return Promise.resolve(new Response(status === 204 ? null : body, { status, headers: { 'Content-Type': 'application/json' } }));
  });
};

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((f) => (f.isDirectory() ? sources(`${folder}/${f.name}`) : /(?<!\.test)\.(ts|vue)$/.test(f.name) ? [`${folder}/${f.name}`] : []));
}

describe('the client', () => {
  afterEach(() => asked.splice(0));

  it('has the types of the description that stands in docs/', async () => {
    expect(readFileSync('src/api/schema.ts', 'utf8') === (await generate()), 'src/api/schema.ts is stale: npm run api (or tools/openapi) and commit').toBe(true);
  });

  it('is the only place that asks', () => {
    const others = sources('src').filter((path) => path !== 'src/api/client.ts' && path !== 'src/api/schema.ts');
    expect(others.length).toBeGreaterThan(50);
    expect(others.filter((path) => /\b(fetch|XMLHttpRequest)\(/.test(readFileSync(path, 'utf8')))).toEqual([]);
  });

  it('asks as the description has it', async () => {
    answers(200, '{"contract":"h/c-1"}');
    await readContract('h.x/c-1');
    await takeStep('h.x/c-1', 'offer');
    await answer(api.GET('/cockpit/v1/why', { params: { query: { indicator: 'a b&c', area: 'h' } } }));
    expect(asked.map((r) => `${r.method} ${r.url}`)).toEqual([
      'GET http://brain.test/hub/v1/contracts/h.x/c-1', 'POST http://brain.test/hub/v1/contracts/h.x/c-1/offer', 'GET http://brain.test/cockpit/v1/why?indicator=a%20b%26c&area=h']);
    expect(await asked[1]!.text()).toBe('{}');
    expect(asked[1]!.headers.get('Content-Type')).toBe('application/json');
  });

  it('gives each refusal its kind, its words and its rule', async () => {
    const of = async (status: number, body: string): Promise<unknown> => {
      answers(status, body);
      return answer(api.GET('/hub/v1/catalog')).catch((e: unknown) => (e instanceof Failure ? [e.kind, e.status, e.detail, e.rule] : e));
    };
    expect(await of(401, '{"title":"Unauthorized"}')).toEqual(['signed_out', 401, 'Unauthorized', undefined]);
    expect(await of(404, '{"detail":"no","rule":8}')).toEqual(['not_allowed', 404, 'no', 8]);
    expect(await of(503, '<html>')).toEqual(['busy', 503, '', undefined]);
    expect(await of(409, '{"detail":"not now","rule":7}')).toEqual(['refused', 409, 'not now', 7]);
    expect(await of(500, '')).toEqual(['broken', 500, '', undefined]);
    expect(((await of(200, '{"resources":[')) as unknown[])[0]).toBe('broken'); // cut off
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')));
    await expect(answer(api.GET('/hub/v1/catalog'))).rejects.toMatchObject({ kind: 'unreachable', status: 0 });
    answers(204, '');
    await expect(answer(api.DELETE('/party/v1/session'))).resolves.toBeUndefined();
  });
});
