import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { en } from './en';
import { detailText, fill } from './index';
import { zh } from './zh';

const src = join(dirname(fileURLToPath(import.meta.url)), '..');

function* sources(dir: string): Generator<string> {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name);
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (/\.(vue|ts)$/.test(name) && !/\.test\.ts$/.test(name) && !/i18n\//.test(path)) yield path;
  }
}

const placeholders = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!).sort();

const WORDS = import.meta.glob<{ zh?: Record<string, string>; en?: Record<string, string> }>('./*.ts', { eager: true });
const pageWords = Object.entries(WORDS).filter(([path, m]) => m.zh && m.en && !/\/(zh|en)\.ts$/.test(path));

describe('the words of the pages', () => {
  it.each(pageWords)('%s: the same keys and placeholders in both languages, Chinese in Chinese, all used', (path, { zh: chinese, en: english }) => {
    expect(Object.keys(english!).sort()).toEqual(Object.keys(chinese!).sort());
    const code = [...sources(src)].map((file) => readFileSync(file, 'utf8')).join('\n');
    for (const [key, text] of Object.entries(chinese!)) {
      expect(text.trim() && english![key]!.trim(), key).not.toBe('');
      expect(/\p{Script=Han}/u.test(text), `${path} ${key}`).toBe(true);
      expect(placeholders(english![key]!), key).toEqual(placeholders(text));
      const stem = key.slice(0, key.lastIndexOf('_') + 1);
      expect(code.includes(`'${key}'`) || (stem !== '' && code.includes(`\`${stem}\${`)), `${path}: '${key}' is used by nobody`).toBe(true);
    }
  });
});

describe('the details of sources', () => {
  /** X_(code, "English") of hub/detail.h. */
  const header = readFileSync(join(src, '../../../hub/detail.h'), 'utf8');
  const codes = [...header.matchAll(/X_\((\w+), "((?:[^"\\]|\\.)*)"\)/g)].map(([, code, english]) => [code!, english!.replaceAll('\\"', '"')] as const);

  it('are said in both languages, in English as the logs say them', () => {
    expect(codes.length).toBeGreaterThan(40);
    for (const [code, english] of codes) expect(en[`detail.${code}` as keyof typeof en], code).toBe(english);
    expect(Object.keys(zh).filter((key) => key.startsWith('detail.')).sort()).toEqual(codes.map(([code]) => `detail.${code}`).sort());
  });

  it('have the word that goes with a number', () => {
    expect(fill('{n} {n|day|days}', { n: 1 })).toBe('1 day');
    expect(fill('{n} {n|day|days}', { n: 0 })).toBe('0 days');
    expect(fill('{n} {n|day|days}', { n: '1,001' })).toBe('1,001 days');
    expect(fill('{m|day|days}', { n: 1 })).toBe('{m|day|days}');
  });
  it('are filled with their parameters; one of a newer brain is shown as it came', () => {
    expect(detailText({ code: 'silent', parameters: ['60'] })).toBe('超过 60 秒没有过车，也没有心跳');
    expect(detailText({ code: 'field_type', parameters: ['n', 'h/police/vehicle', 'integer', 'text'] })).toBe('h/police/vehicle 的字段“n”声明为 integer，实际的列是 text');
    expect(detailText({ code: 'of_tomorrow', parameters: ['7'] })).toBe('of_tomorrow 7');
  });
});

describe('the words', () => {
  it('are the same keys in both languages, none empty', () => {
    expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort());
    for (const [key, text] of [...Object.entries(zh), ...Object.entries(en)]) expect(text.trim(), key).not.toBe('');
  });

  it('have the same placeholders in both languages', () => {
    for (const key of Object.keys(zh) as (keyof typeof zh)[]) expect(placeholders(en[key]), key).toEqual(placeholders(zh[key]));
  });

  it('are Chinese in Chinese', () => {
    const latin = new Set(['unit.kmh', 'top.language']);
    for (const [key, text] of Object.entries(zh)) if (!latin.has(key)) expect(/\p{Script=Han}/u.test(text), key).toBe(true);
  });

  it('are all used, and no template carries words of its own', () => {
    const all = [...sources(src), join(src, 'i18n/index.ts')].map((path) => ({ path, text: readFileSync(path, 'utf8') }));
    const code = all.map((f) => f.text).join('\n');
    const unused = Object.keys(zh).filter((key) => {
      const family = key.slice(0, key.lastIndexOf('.') + 1);
      const stem = key.slice(0, key.lastIndexOf('_') + 1);
      const isBuilt = code.includes(`\`${family}\${`) || (stem.length > family.length && code.includes(`\`${stem}\${`));
      return !code.includes(`'${key}'`) && !isBuilt;
    });
    expect(unused).toEqual([]);
    for (const { path, text } of all.filter((f) => f.path.endsWith('.vue'))) {
      const template = /<template>([\s\S]*)<\/template>/.exec(text)?.[1] ?? '';
      expect(/\p{Script=Han}/u.test(template), `${path} has Chinese words outside zh.ts`).toBe(false);
      for (const [, words] of template.matchAll(/>\s*([A-Za-z][a-z]+(?: [a-z]+)+)\s*</g)) expect.fail(`${path}: "${words}" is not in zh.ts`);
    }
  });

  it('are filled in, and what is unknown stays visible', () => {
    expect(fill('{a} of {b}', { a: 1 })).toBe('1 of {b}');
  });
});
