// One question of the decision, read from one line: exactly the form of docs/decide.md and nothing else. Written from that page alone, so
// that it and the C of the hub can contradict each other; it shares no code with it. It reads bytes, because names compare byte for byte,
// and reads JSON itself, because JSON.parse forgets what the form forbids: keys given twice, and how a number was written.

export type Limit = number | null;

export interface Contract {
  state: string;
  provider: string;
  consumer: string;
  resource: string;
  uses: string[];
  fields: string[];
  purpose: string;
  from_ms: Limit;
  until_ms: Limit;
  fresh_until_ms: Limit;
  per_second: Limit;
  per_day: Limit;
  per_month: Limit;
  min_subjects: Limit;
}

export interface Request {
  party: string;
  resource: string;
  use: string;
  fields: string[];
  purpose: string;
  subjects: Limit;
}

export interface Counters {
  second: number;
  day: number;
  month: number;
}

export interface Question {
  contract: Contract;
  request: Request;
  now_ms: number;
  counters: Counters;
}

export class NotOfThisForm extends Error {}

export const LINE_MAX = 1 << 20;
export const LIST_MAX = 4096;

// 2^53; digits are compared as text, because 2^53 + 1 has no double of its own.
const INTEGER_MAX_DIGITS = '9007199254740992';

type Read<T> = (reader: Reader) => T;

// A string of the result holds one char (0 to 255) a byte of the UTF-8: comparing two of them compares bytes.
class Reader {
  private at = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly end: number,
  ) {}

  fail(what: string): never {
    throw new NotOfThisForm(`${what} at byte ${this.at}`);
  }

  private space(): void {
    for (; this.at < this.end; this.at++) {
      const byte = this.bytes[this.at];
      if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) return;
    }
  }

  private take(byte: number): boolean {
    this.space();
    if (this.at >= this.end || this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  private need(byte: number): void {
    if (!this.take(byte)) this.fail(`no ${String.fromCharCode(byte)}`);
  }

  finish(): void {
    this.space();
    if (this.at !== this.end) this.fail('more after the object');
  }

  readonly string = (): string => {
    this.need(0x22);
    const start = this.at;
    let high = false;
    for (; this.at < this.end; this.at++) {
      const byte = this.bytes[this.at];
      if (byte === 0x22) {
        const text = this.bytes.toString('latin1', start, this.at++);
        if (high) this.utf8(text);
        return text;
      }
      if (byte === 0x5c) return this.escaped(start);
      if (byte < 0x20) this.fail('a control character in a string');
      if (byte >= 0x80) high = true;
    }
    return this.fail('a string without its end');
  };

  private escaped(start: number): string {
    let text = this.bytes.toString('latin1', start, this.at);
    while (this.at < this.end) {
      const byte = this.bytes[this.at++];
      if (byte === 0x22) {
        this.utf8(text);
        return text;
      }
      if (byte < 0x20) this.fail('a control character in a string');
      text += byte === 0x5c ? this.escape() : String.fromCharCode(byte);
    }
    return this.fail('a string without its end');
  }

  private escape(): string {
    const plain = '"\\/bfnrt'.indexOf(String.fromCharCode(this.bytes[this.at++]));
    if (this.at > this.end) this.fail('an escape without its end');
    if (plain >= 0) return '"\\/\b\f\n\r\t'[plain];
    if (this.bytes[this.at - 1] !== 0x75) this.fail('an escape that is none');
    let code = this.hex();
    if (code >= 0xdc00 && code <= 0xdfff) this.fail('the second half of a pair alone');
    if (code >= 0xd800 && code <= 0xdbff) {
      if (this.bytes[this.at] !== 0x5c || this.bytes[this.at + 1] !== 0x75) this.fail('the first half of a pair alone');
      this.at += 2;
      const low = this.hex();
      if (low < 0xdc00 || low > 0xdfff) this.fail('the first half of a pair alone');
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    return Buffer.from(String.fromCodePoint(code), 'utf8').toString('latin1');
  }

  private hex(): number {
    if (this.at + 4 > this.end) this.fail('an escape without its end');
    const digits = this.bytes.toString('latin1', this.at, this.at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail('an escape that is none');
    this.at += 4;
    return parseInt(digits, 16);
  }

  private utf8(text: string): void {
    for (let i = 0; i < text.length; ) {
      const lead = text.charCodeAt(i);
      const more = lead < 0x80 ? 0 : lead >= 0xc2 && lead <= 0xdf ? 1 : lead >= 0xe0 && lead <= 0xef ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : -1;
      if (more < 0 || i + more >= text.length) this.fail('not UTF-8');
      for (let k = 1; k <= more; k++) {
        const byte = text.charCodeAt(i + k);
        let low = 0x80;
        let high = 0xbf;
        if (k === 1 && lead === 0xe0) low = 0xa0;
        if (k === 1 && lead === 0xed) high = 0x9f;
        if (k === 1 && lead === 0xf0) low = 0x90;
        if (k === 1 && lead === 0xf4) high = 0x8f;
        if (byte < low || byte > high) this.fail('not UTF-8');
      }
      i += more + 1;
    }
  }

  readonly integer = (): number => {
    this.space();
    const negative = this.bytes[this.at] === 0x2d && this.at < this.end;
    if (negative) this.at++;
    const start = this.at;
    while (this.at < this.end && this.bytes[this.at] >= 0x30 && this.bytes[this.at] <= 0x39) this.at++;
    const digits = this.bytes.toString('latin1', start, this.at);
    if (digits.length === 0) this.fail('no integer');
    if (digits.length > 1 && digits[0] === '0') this.fail('a zero in front');
    // What follows must end the number: a comma or a bracket is asked for next, so ".5" and "e3" fail there.
    const n = digits.length;
    if (n > INTEGER_MAX_DIGITS.length || (n === INTEGER_MAX_DIGITS.length && digits > INTEGER_MAX_DIGITS)) this.fail('past 2^53');
    return negative ? 0 - Number(digits) : Number(digits);
  };

  readonly limit = (): Limit => {
    this.space();
    if (this.bytes[this.at] !== 0x6e) return this.integer();
    if (this.at + 4 > this.end || this.bytes.toString('latin1', this.at, this.at + 4) !== 'null') this.fail('no null');
    this.at += 4;
    return null;
  };

  readonly names = (): string[] => {
    this.need(0x5b);
    const list: string[] = [];
    if (this.take(0x5d)) return list;
    do {
      if (list.length === LIST_MAX) this.fail('too many names');
      list.push(this.string());
    } while (this.take(0x2c));
    this.need(0x5d);
    return list;
  };

  // An object with exactly the keys of `keys`, each once, in any order.
  object<T>(keys: { [K in keyof T]: Read<T[K]> }, n_keys: number): T {
    const result: Partial<T> = {};
    let n_read = 0;
    this.need(0x7b);
    do {
      const key = this.string() as string & keyof T;
      if (!Object.hasOwn(keys, key)) this.fail('an unknown key');
      if (Object.hasOwn(result, key)) this.fail('a key given twice');
      this.need(0x3a);
      result[key] = keys[key](this);
      n_read++;
    } while (this.take(0x2c));
    this.need(0x7d);
    if (n_read !== n_keys) this.fail('a key is missing');
    return result as T;
  }
}

const string: Read<string> = (reader) => reader.string();
const names: Read<string[]> = (reader) => reader.names();
const limit: Read<Limit> = (reader) => reader.limit();
const integer: Read<number> = (reader) => reader.integer();

const CONTRACT = {
  state: string, provider: string, consumer: string, resource: string, uses: names, fields: names, purpose: string,
  from_ms: limit, until_ms: limit, fresh_until_ms: limit, per_second: limit, per_day: limit, per_month: limit, min_subjects: limit,
};
const REQUEST = { party: string, resource: string, use: string, fields: names, purpose: string, subjects: limit };
const COUNTERS = { second: integer, day: integer, month: integer };
const QUESTION = {
  contract: (reader: Reader) => reader.object<Contract>(CONTRACT, 14),
  request: (reader: Reader) => reader.object<Request>(REQUEST, 6),
  now_ms: integer,
  counters: (reader: Reader) => reader.object<Counters>(COUNTERS, 3),
};

// The question in a line, given without its newline. Throws NotOfThisForm.
export function readQuestion(line: Buffer): Question {
  if (line.length > LINE_MAX) throw new NotOfThisForm('the line is longer than 1 MiB');
  const reader = new Reader(line, line.length);
  const question = reader.object<Question>(QUESTION, 4);
  reader.finish();
  return question;
}
