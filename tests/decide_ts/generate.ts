// Questions for the decision, drawn from a seed: each aims at one rule or at one way of not being of the form, and lies on an edge of it as
// often as beside it. The same seed gives the same lines. It knows no answers: it only asks.
//
// A line is a string with one char (0 to 255) a byte, so that it can hold what no text may: bytes that are not UTF-8.

// xoshiro128**, seeded through splitmix32; small, and the same on every Node.
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  constructor(seed: number) {
    const next = () => {
      seed = (seed + 0x9e3779b9) | 0;
      let z = seed;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return z ^ (z >>> 16);
    };
    this.a = next();
    this.b = next();
    this.c = next();
    this.d = next();
  }

  private bits(): number {
    const x = Math.imul(this.b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9);
    const t = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= t;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result >>> 0;
  }

  below(n: number): number {
    return this.bits() % n;
  }

  chance(percent: number): boolean {
    return this.bits() % 100 < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.bits() % list.length];
  }
}

const P53 = 9007199254740992;
const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

// Names that differ in one byte, in case, in Unicode form only, in length, or not at all.
const NAMES = ['hangzhou/police', 'hangzhou/Police', 'hangzhou/polic', 'hangzhou/police ', 'hangzhou.xihu/parking', 'hangzhou/scene.count', '', 'a', 'é',
  'é', '市公安局', '市公安', '🚑', '\ufeffa', '\uffff', 'a"b', 'a\\b', 'a/b', 'tab\there', '\u007f', '__proto__', 'constructor', 'null'].map(latin1);
const FIELDS = ['plate', 'Plate', 'owner', 'colour', 'plate ', '', '号牌', '__proto__', 'toString'].map(latin1);
const USES = ['call', 'query', 'subscribe', 'act', 'Call', 'read', ''];
const STATES = ['drafted', 'offered', 'suspended', 'ended', 'Agreed', 'agreed ', '', 'agree', 'agreedx'];
const TIMES = [0, 1, -1, 1700000000000, 1700000000001, 4102444800000, P53, -P53, P53 - 1, 1 - P53, 86400000];
const COUNTS = [0, 1, 2, 9, 10, 1000, 2147483647, 2147483648, 4294967295, 4294967296, P53, -1, -P53];

// What is not of the form although it looks like an integer, and what is although it does not.
const ODD_NUMBERS = ['1.0', '1e3', '1E3', '1e0', '-0', '00', '01', '-01', '+1', '.5', '1.', '-', '--1', '0x10', '1_000', '1e', '0.0', '-0.0', 'NaN', 'Infinity',
  '9007199254740992', '9007199254740993', '-9007199254740992', '-9007199254740993', '9007199254740994', '09007199254740992', '10000000000000000',
  '9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809', '18446744073709551616', '1'.repeat(400), '0'.repeat(40),
  '99999999999999999999e-10', 'true', 'false', '"1"', '[]', '[1]', '{}', '""', 'nul', 'Null', 'NULL', 'nulls', 'null', 'null null', '1 2', '', '１'].map(latin1);
const ODD_STRINGS = ['null', '1', 'true', '[]', '["agreed"]', '{}', '"', 'agreed', "'agreed'", '"agreed', '"a\nb"', '"a\tb"', '"a\x00b"', '"a\x1fb"', '"\x7f"',
  '"\\x41"', '"\\u00e"', '"\\u00zz"', '"\\U0041"', '"\\"', '"\\', '"\\u0000"', '"\\ud800"', '"\\udc00"', '"\\ud83d\\ude91"', '"\\ude91\\ud83d"', '"\\ud83dx"', '"\\ud83d\\u0041"',
  '"\\u0061greed"', '"\\u0041greed"', '"a\\/b"', '"\\a"', '"\\b\\f\\n\\r\\t"', '"\x80"', '"\xc0\x80"', '"\xc1\xbf"', '"\xe0\x80\x80"', '"\xe0\x9f\xbf"', '"\xe0\xa0\x80"',
  '"\xed\x9f\xbf"', '"\xed\xa0\x80"', '"\xed\xbf\xbf"', '"\xee\x80\x80"', '"\xf0\x80\x80\x80"', '"\xf0\x8f\xbf\xbf"', '"\xf0\x90\x80\x80"', '"\xf4\x8f\xbf\xbf"', '"\xf4\x90\x80\x80"',
  '"\xf5\x80\x80\x80"', '"\xff"', '"\xfe"', '"\xe5\xb8"', '"\xe5"', '"\xe5\x22', '"\xe2\x80\xa8"', '"\xc2\x85"', '"\xef\xbb\xbf"', '"\xef\xbf\xbf"'];
const ODD_LISTS = ['null', '{}', '""', '"call"', '[1]', '[null]', '["call",]', '[,]', '[,"call"]', '["call""act"]', '["call" "act"]', '["call"', '"call"]', '[["call"]]', '[{}]', '[true]', '[',
  ']', '[]]', '[]', '[ ]', '[""]', '["call","call"]', '["c\\u0061ll"]', '["plate", "pl\\u0061te"]', '["\xff"]', '["call";"act"]', '[\x00]'];

type Value = string | Value[];
type Pairs = [string, Value][];
type Raw = { [name: string]: string };

interface Parts {
  // An object's place holds its name, and is filled when the line is written.
  question: Pairs;
  contract: Pairs;
  request: Pairs;
  counters: Pairs;
}

function quote(random: Random, text: string, odd: number): string {
  if (odd === 0 && /^[^"\\\x00-\x1f]*$/.test(text)) return '"' + text + '"';
  let out = '"';
  for (const char of text) {
    const code = char.charCodeAt(0);
    if (char === '"' || char === '\\') out += '\\' + char;
    else if (code === 9 && random.chance(50)) out += '\\t';
    else if (code < 0x20 || (code < 0x80 && odd > 0 && random.chance(odd))) {
      const hex = code.toString(16).padStart(4, '0');
      out += '\\u' + (random.chance(50) ? hex : hex.toUpperCase());
    } else out += char;
  }
  return out + '"';
}

// Around an edge: below it, on it, above it, or far away.
function near(random: Random, edge: number): number {
  return Math.max(-P53, Math.min(P53, edge + random.pick([-1, 0, 0, 1, -1000, 1000])));
}

const limit = (random: Random, value: number, none_percent: number): string => (random.chance(none_percent) ? 'null' : String(value));

function subset(random: Random, list: string[], most: number): string[] {
  const out: string[] = [];
  for (let n = random.below(most + 1); n > 0; n--) out.push(random.pick(list));
  return out;
}

// A question that passes all rules before `aim`, and is near the edge of rule `aim`; what stands after it may fail as it likes.
function aimed(random: Random, aim: number): Parts {
  const on = (rule: number): boolean => aim === rule || (aim !== 0 && aim < rule && random.chance(10));
  const plain = (text: string): string => quote(random, text, 0);
  const now = random.pick(TIMES);
  const consumer = random.pick(NAMES);
  const resource = random.pick(NAMES);
  const purpose = random.pick(NAMES);
  const use = random.pick(USES);
  const fields = [random.pick(FIELDS), ...subset(random, FIELDS, 4)];
  const wanted = [random.pick(fields), ...subset(random, fields, 3)];
  const uses = [use, ...subset(random, USES, 3)];
  if (on(7) && random.chance(80)) uses.shift();
  if (on(9)) random.chance(30) ? wanted.splice(0) : random.chance(80) ? wanted.splice(random.below(wanted.length + 1), 0, random.pick(FIELDS)) : fields.splice(0);
  const from = on(2) ? near(random, now) : now - (now > -P53 ? random.below(2) : 0);
  const until = (rule: number): string => limit(random, on(rule) ? near(random, now) : Math.min(P53, now + 1 + random.below(100)), now === P53 && !on(rule) ? 100 : 25);
  const counts = [10, 11, 12].map((rule): [string, string] => {
    const most = random.pick(COUNTS);
    return on(rule) ? [limit(random, most, 15), String(near(random, most))] : most === -P53 || random.chance(40) ? ['null', String(most)] : [String(most), String(most - 1 < -P53 ? most : most - 1)];
  });
  const least = random.pick(COUNTS);
  const statistics = on(13) ? random.chance(85) : random.chance(30);
  const subjects = on(13) ? limit(random, near(random, least), 20) : statistics ? String(least) : limit(random, random.pick(COUNTS), 60);
  return {
    contract: [
      ['state', plain(on(1) && random.chance(85) ? random.pick(STATES) : 'agreed')], ['provider', plain(random.pick(NAMES))], ['consumer', plain(consumer)],
      ['resource', plain(resource)], ['uses', uses.map(plain)], ['fields', fields.map(plain)], ['purpose', plain(purpose)],
      ['from_ms', limit(random, from, on(2) ? 15 : 30)], ['until_ms', until(3)], ['fresh_until_ms', until(4)], ['per_second', counts[0][0]],
      ['per_day', counts[1][0]], ['per_month', counts[2][0]], ['min_subjects', statistics ? String(least) : 'null'],
    ],
    request: [
      ['party', plain(on(5) ? random.pick(NAMES) : consumer)], ['resource', plain(on(6) ? random.pick(NAMES) : resource)], ['use', plain(use)],
      ['fields', wanted.map(plain)], ['purpose', plain(on(8) ? random.pick(NAMES) : purpose)], ['subjects', subjects],
    ],
    counters: [['second', counts[0][1]], ['day', counts[1][1]], ['month', counts[2][1]]],
    question: [['contract', ['contract']], ['request', ['request']], ['now_ms', String(now)], ['counters', ['counters']]],
  };
}

const INTEGERS = ['from_ms', 'until_ms', 'fresh_until_ms', 'per_second', 'per_day', 'per_month', 'min_subjects', 'subjects', 'now_ms', 'second', 'day', 'month'];
const LISTS = ['uses', 'fields'];

function shuffle(random: Random, pairs: Pairs): void {
  for (let i = pairs.length - 1; i > 0; i--) {
    const k = random.below(i + 1);
    [pairs[i], pairs[k]] = [pairs[k], pairs[i]];
  }
}

// One thing wrong, or odd, inside the objects.
function odd(random: Random, parts: Parts): void {
  const pairs = random.pick([parts.question, parts.contract, parts.contract, parts.request, parts.counters]);
  const at = random.below(pairs.length);
  const key = pairs[at][0];
  switch (random.below(9)) {
    case 0:
      pairs.splice(at, 1);
      break;
    case 1: // the same key again, sometimes spelt otherwise
      pairs.splice(random.below(pairs.length + 1), 0, [random.chance(40) ? quote(random, key, 60).slice(1, -1) : key, pairs[at][1]]);
      break;
    case 2:
      pairs.splice(random.below(pairs.length + 1), 0, [random.pick(['unknown', '', 'State', 'state ', '__proto__', 'constructor', 'now_ms', 'second', '\xff', 'a\\u0000', key + '\\u0000', key + ' ']),
        random.pick(['1', 'null', '"x"', '{}', '{"a":{"a":1,"a":2}}', '['.repeat(30) + ']'.repeat(30)])]);
      break;
    case 3: // the key escaped: the same key
      pairs[at][0] = quote(random, key, 30 + random.below(70)).slice(1, -1);
      break;
    case 4:
      pairs[at][0] = random.pick([key.toUpperCase(), key + 'x', key.slice(1), ' ' + key, key + '\x00', "'" + key]);
      break;
    default:
      pairs[at][1] = INTEGERS.includes(key) ? random.pick(ODD_NUMBERS) : LISTS.includes(key) ? random.pick(ODD_LISTS)
        : Array.isArray(pairs[at][1]) ? random.pick(['null', '1', '""', '[]', '[{}]', '{}', '{', '}', '']) : random.pick(ODD_STRINGS);
  }
}

const SPACES = ['', '', ' ', '\t', '\r', '  ', ' \t\r '];

function write(random: Random, parts: Parts, spaced: boolean): string {
  const space = (): string => (spaced ? random.pick(SPACES) : '');
  const list = (values: Value[]): string => '[' + values.map((value) => space() + value + space()).join(',') + ']';
  const object = (pairs: Pairs): string => '{' + pairs.map(([key, value]) => space() + '"' + key + '"' + space() + ':' + space() + (Array.isArray(value) ? list(value) : value) + space()).join(',') + '}';
  const inner: Raw = { contract: object(parts.contract), request: object(parts.request), counters: object(parts.counters) };
  for (const pair of parts.question) if (Array.isArray(pair[1])) pair[1] = inner[pair[1][0] as string];
  return space() + object(parts.question) + space();
}

const BLANKS = ['\x0b', '\x0c', '\xa0', '\xc2\xa0', '\x00', '\xef\xbb\xbf', '\xe2\x80\x83'];

// One thing wrong, or odd, with the line itself.
function broken(random: Random, line: string): string {
  const at = random.below(line.length + 1);
  switch (random.below(12)) {
    case 0:
      return line.slice(0, at);
    case 1:
      return line.slice(0, at) + line.slice(at + 1);
    case 2:
      return line.slice(0, at) + String.fromCharCode(random.pick([0, 9, 11, 13, 32, 34, 44, 58, 91, 92, 93, 123, 125, 127, 128, 192, 255])) + line.slice(at);
    case 3:
      return line + random.pick(['}', ',', ' x', '{}', ' null', line, '\r', ' ', '\x00', '//', ';']);
    case 4:
      return random.pick(['\xef\xbb\xbf', '\xff\xfe', ' ', '\t', '[', '{', ',', '\x00']) + line;
    case 5:
      return random.pick(['', ' ', '{}', '[]', 'null', '1', '"x"', '[' + line + ']', '{"contract":' + line + '}', '\r', 'decide', '{"error":""}']);
    case 6: {
      const blank = random.pick(BLANKS);
      return line.replace(/[,:{}[\]]/g, (mark) => (random.chance(5) ? mark + blank : mark));
    }
    case 7: {
      const open = random.pick(['[', '{"a":', '[{"a":']);
      const deep = 1 + random.below(random.chance(2) ? 50000 : 200);
      return random.chance(50) ? open.repeat(deep) : line.replace('"counters":', '"counters":' + open.repeat(deep));
    }
    case 8:
      return line.replace(/,([}\]])?/, (_, end: string | undefined) => ',,' + (end ?? ''));
    case 9:
      return line.replace(/([}\]])/, ',$1');
    case 10:
      return line.replace(/"/g, random.pick(["'", '', '“'].map(latin1)));
    default: {
      const byte = line.charCodeAt(Math.min(at, line.length - 1)) ^ (1 << random.below(8));
      return line.slice(0, at) + String.fromCharCode(byte) + line.slice(at + 1);
    }
  }
}

// Rare, because large: lists and lines of just the longest length and one more.
function large(random: Random, parts: Parts): string {
  const over = random.below(2);
  if (random.chance(50)) {
    const pairs = random.pick([parts.contract, parts.request]);
    const names = random.pick(pairs.filter(([key]) => LISTS.includes(key)))[1] as Value[];
    while (names.length < 4096 + over) names.push(names[0] ?? '"x"');
    return write(random, parts, false);
  }
  const line = write(random, parts, false);
  return ' '.repeat((1 << 20) + over - line.length) + line;
}

export class Generator {
  private readonly random: Random;
  private n = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  next(): string {
    const random = this.random;
    const parts = aimed(random, random.below(14));
    if (this.n++ % 40000 === 0) return large(random, parts);
    const way = random.below(100);
    for (const pairs of [parts.question, parts.contract, parts.request, parts.counters]) if (random.chance(30)) shuffle(random, pairs);
    if (way < 20) odd(random, parts);
    if (way === 0) odd(random, parts);
    const line = write(random, parts, random.chance(10));
    // A newline inside would make two lines of it.
    return (way >= 90 ? broken(random, line) : line).replace(/\n/g, ' ');
  }
}
