// Numbers as people read them: thousands separated, no false precision, a real minus sign, and nothing for what is unknown.

const formats = new Map<number, Intl.NumberFormat>();

export function formatNumber(value: number | null | undefined, decimals = 0): string | null {
  if (value === null || value === undefined || !Number.isFinite(value)) return null;
  let format = formats.get(decimals);
  if (!format) {
    format = new Intl.NumberFormat('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    formats.set(decimals, format);
  }
  const text = format.format(value);
  return /^-[0.,]*$/.test(text) ? text.slice(1) : text.replace('-', '\u2212');
}

/** Rounded to its first digit, for what is known no better: 415 is about 400. */
export function aboutNumber(value: number): number {
  const step = 10 ** Math.floor(Math.log10(Math.max(1, Math.abs(value))));
  return Math.round(value / step) * step;
}

/** An interval so wide that the value's further digits say nothing: its half is more than half the value. */
export const isVague = (value: number, low: number, high: number): boolean => (high - low) / 2 > value / 2;

/** How wide a text is at most, in ems: a digit takes 0.6, a sign or a space 0.3, a Chinese character or a capital the whole. */
export function emsOf(text: string): number {
  let ems = 0;
  for (const c of text) ems += /[.,\s\u2212]/.test(c) ? 0.3 : /[\d\p{Ll}/·]/u.test(c) ? 0.6 : 1;
  return Math.round(ems * 10) / 10;
}

/** How far `value` lies from `base`, as "+12%" or "−3%"; null without a base. */
export function formatChange(value: number | null, base: number | null | undefined): string | null {
  if (value === null || !base || !Number.isFinite(value) || !Number.isFinite(base)) return null;
  const percent = (value / base - 1) * 100;
  const text = formatNumber(Math.abs(percent), Math.abs(percent) < 10 ? 1 : 0);
  return `${percent >= 0 ? '+' : '\u2212'}${text}%`;
}

export const kmh = (speed_mps: number | null | undefined): number | null =>
  speed_mps === null || speed_mps === undefined ? null : speed_mps * 3.6;
