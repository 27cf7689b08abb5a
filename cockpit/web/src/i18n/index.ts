// Chinese and English, chosen once for the whole page. t() takes only keys that exist; pick() chooses from a city's own {zh, en}.
import { ref, watchEffect } from 'vue';
import type { Detail, Text } from '../api/types';
import { en } from './en';
import { zh } from './zh';
import type { Key } from './zh';

export type Language = 'zh' | 'en';
const STORED = 'citybrain.language';

function preferred(): Language {
  const asked = new URLSearchParams(location.search).get('lang') ?? localStorage.getItem(STORED);
  if (asked === 'zh' || asked === 'en') return asked;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export const language = ref<Language>(typeof window === 'undefined' ? 'zh' : preferred());

export function setLanguage(next: Language): void {
  language.value = next;
  localStorage.setItem(STORED, next);
}

/** Title of the page shown. */
export const titleKey = ref<Key>('app.cockpit');

if (typeof document !== 'undefined') {
  watchEffect(() => {
    document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
    document.title = `${t('app.name')} · ${t(titleKey.value)}`;
  });
}

/** Puts values in: `{n}`, and `{n|day|days}` for the word that goes with their number. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, many?: string) =>
    (!(name in values) ? whole : one === undefined ? String(values[name]) : Number(values[name]) === 1 ? one : many!));
}

export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill((language.value === 'zh' ? zh : en)[key], values);
}

/** Why a source is not fresh. A code that this page does not know yet is shown as it came. */
export function detailText(detail: Detail): string {
  const values = Object.fromEntries(detail.parameters.map((p, i) => [String(i + 1), p]));
  const key = `detail.${detail.code}`;
  return key in zh ? t(key as Key, values) : [detail.code, ...detail.parameters].join(' ');
}

/** The words of one page, which load with it: `const w = words(zh, en)`, then `w('key')`. The type demands the same keys. */
export function words<K extends string>(inChinese: Record<K, string>, inEnglish: Record<K, string>): (key: K, values?: Record<string, string | number>) => string {
  return (key, values = {}) => fill((language.value === 'zh' ? inChinese : inEnglish)[key], values);
}

/** A title as a city's files give it; the other language stands in where one is missing. */
export function pick(text: Text | string | null | undefined): string {
  if (!text) return '';
  if (typeof text === 'string') return text;
  return (language.value === 'zh' ? text.zh || text.en : text.en || text.zh) ?? '';
}
