// Asks both implementations of the decision the same questions through their standard input, and compares every answer.
//
//   node agree.js --citybrain PATH [--seed N] [--count N]
//
// Prints the seed first. Exits 1 at the first differing answers, with the line and how to ask it again; 1 also when a kind of answer came
// too seldom, because then the questions prove nothing. Texts of errors are not compared: the document does not give them.
import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Generator } from './generate.js';

const BATCH = 2000;
// Batches asked and not yet compared: bounds the memory when one side is slower.
const AHEAD = 8;

function option(name: string, otherwise: string): string {
  const at = process.argv.indexOf('--' + name);
  return at > 0 ? process.argv[at + 1] : otherwise;
}

// One side: takes questions, gives the answers' lines in order.
class Side {
  readonly process: ChildProcess;
  private answers: string[] = [];
  private rest = '';
  private wake: () => void = () => {};
  private drained: () => void = () => {};
  private closed = false;
  private ended = false;

  constructor(readonly name: string, command: string, args: string[]) {
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.process.stdout!.setEncoding('latin1').on('data', (text: string) => {
      const lines = (this.rest + text).split('\n');
      this.rest = lines.pop()!;
      for (const line of lines) this.answers.push(line);
      this.wake();
    });
    this.process.stdout!.on('close', () => {
      this.ended = true;
      this.wake();
    });
    this.process.stdin!.on('error', () => this.drained()); // a side that ended is seen by its missing answers
    this.process.stdin!.on('close', () => {
      this.closed = true;
      this.drained();
    });
    this.process.stdin!.on('drain', () => this.drained());
  }

  async ask(bytes: Buffer): Promise<void> {
    if (this.closed || this.process.stdin!.write(bytes)) return;
    await new Promise<void>((resolve) => {
      this.drained = resolve;
    });
  }

  async take(n: number): Promise<string[]> {
    while (this.answers.length < n && !this.ended) await new Promise<void>((resolve) => (this.wake = resolve));
    if (this.answers.length < n) throw new Error(`${this.name} ended ${n - this.answers.length} answers early`);
    return this.answers.splice(0, n);
  }

  async finish(): Promise<number | null> {
    this.process.stdin!.end();
    while (!this.ended) await new Promise<void>((resolve) => (this.wake = resolve));
    if (this.answers.length > 0 || this.rest !== '') throw new Error(`${this.name} gave more answers than it was asked questions`);
    return this.process.exitCode ?? ((await once(this.process, 'exit'))[0] as number | null);
  }
}

const plain = new Map<string, string>(); // kinds of the few answers without a text

function kind(answer: string): string {
  const known = plain.get(answer);
  if (known !== undefined) return known;
  const found = readKind(answer);
  if (found !== 'error' && KINDS.includes(found)) plain.set(answer, found);
  return found;
}

function readKind(answer: string): string {
  const permit = /^\{"permit":(true|false),"rule":(\d{1,2})\}$/.exec(answer);
  if (permit && (permit[1] === 'true') === (permit[2] === '0')) return permit[2] === '0' ? 'permit' : 'rule ' + permit[2];
  if (/^\{"error":".*"\}$/.test(answer)) return 'error';
  return 'no answer of the form: ' + answer;
}

const KINDS = ['permit', ...Array.from({ length: 13 }, (_, i) => `rule ${i + 1}`), 'error'];

async function main(): Promise<number> {
  const seed = Number(option('seed', String(Date.now() % 0x7fffffff)));
  const count = Number(option('count', '1000000'));
  console.log(`seed ${seed}, ${count} cases`);
  const generator = new Generator(seed);
  const hub = new Side('the hub', option('citybrain', 'build/brain/citybrain'), ['decide', '--stdio']);
  const ours = new Side('the document', process.execPath, [fileURLToPath(new URL('./stdio.js', import.meta.url))]);
  const seen = new Map<string, number>(KINDS.map((name) => [name, 0]));
  const asked: { first: number; lines: string[] }[] = [];
  let n_differ = 0;

  const compare = async (): Promise<void> => {
    const { first, lines } = asked.shift()!;
    const [left, right] = await Promise.all([hub.take(lines.length), ours.take(lines.length)]);
    for (let i = 0; i < lines.length; i++) {
      const [a, b] = [kind(left[i]), kind(right[i])];
      if (a === b && seen.has(a)) {
        seen.set(a, seen.get(a)! + 1);
      } else if (++n_differ <= 20) {
        console.log(`case ${first + i}: the hub says ${left[i]}, the document ${right[i]}, to\n${JSON.stringify(lines[i].slice(0, 4000))}`);
      }
    }
  };

  for (let n = 0; n < count && n_differ === 0; n += BATCH) {
    const lines: string[] = [];
    for (let i = n; i < Math.min(count, n + BATCH); i++) lines.push(generator.next());
    const bytes = Buffer.from(lines.join('\n') + '\n', 'latin1');
    asked.push({ first: n, lines });
    if (asked.length > AHEAD) await compare();
    await Promise.all([hub.ask(bytes), ours.ask(bytes)]);
  }
  while (asked.length > 0) await compare();
  const codes = await Promise.all([hub.finish(), ours.finish()]);
  console.log([...seen].map(([name, n]) => `${name}: ${n}`).join(', '));
  if (n_differ > 0) {
    console.log(`${n_differ} answers differ; again: --seed ${seed} --count ${count}`);
    return 1;
  }
  if (codes.some((code) => code !== 0)) {
    console.log(`exit codes ${codes.join(' and ')}`);
    return 1;
  }
  const seldom = KINDS.filter((name) => seen.get(name)! < count / 500);
  if (count >= 10000 && seldom.length > 0) {
    console.log(`the questions are too much alike; hardly any ${seldom.join(', ')}`);
    return 1;
  }
  console.log(`${count} cases, every answer the same`);
  return 0;
}

process.exitCode = await main();
